from __future__ import annotations

import numpy as np
import pytest

from services.segmentation.nuclei import find_nuclei
from tests.unit.segmentation.synthetic import discs, fluorescence, overlaps

CENTRES = [(20, 20), (60, 25), (100, 30), (30, 80), (80, 90)]


def test_every_nucleus_is_found_close_to_its_true_outline() -> None:
    true = discs(CENTRES, 9)
    found = find_nuclei(fluorescence(true, [120.0] * 5))
    assert found.max() == 5
    assert min(overlaps(true, found)) > 0.85


def test_a_dim_nucleus_beside_bright_ones_is_found_and_bright_ones_are_not_drawn_too_large() -> None:
    true = discs(CENTRES, 9)
    found = find_nuclei(fluorescence(true, [220.0, 220.0, 220.0, 220.0, 90.0]))
    assert found.max() == 5
    assert min(overlaps(true, found)) > 0.8


def test_a_touching_pair_is_parted() -> None:
    true = discs([(50, 60), (67, 60)], 10)
    found = find_nuclei(fluorescence(true, [120.0, 120.0]))
    assert found.max() == 2
    assert min(overlaps(true, found)) > 0.75


def test_strong_noise_neither_hides_nuclei_nor_invents_them() -> None:
    true = discs(CENTRES, 9)
    found = find_nuclei(fluorescence(true, [100.0] * 5, noise=18.0))
    assert found.max() == 5
    assert min(overlaps(true, found)) > 0.7


@pytest.mark.parametrize("mean", [0.5, 100.0])
def test_noise_alone_has_no_nuclei(mean: float) -> None:
    assert not find_nuclei(np.random.default_rng(1).poisson(mean, (128, 128)).astype(np.uint16)).any()


def test_the_scale_of_the_camera_does_not_matter() -> None:
    image = fluorescence(discs(CENTRES, 9), [120.0] * 5)
    assert np.array_equal(find_nuclei(image), find_nuclei(image.astype(np.uint16) * 200 + 900))


def test_a_hot_pixel_hides_nothing() -> None:
    image = fluorescence(discs(CENTRES, 9), [120.0] * 5).astype(np.uint16)
    image[5, 120] = 65535
    assert find_nuclei(image).max() == 5
