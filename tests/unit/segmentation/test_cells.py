from __future__ import annotations

import cv2
import numpy as np
import pytest

from services.segmentation.cells import find_cells
from tests.unit.segmentation.synthetic import overlaps, scratch, spread

WOUND = slice(150, 260)


def test_bright_cells_in_dark_rims_are_found_one_by_one() -> None:
    image, true = scratch(WOUND)
    found = find_cells(image).labels
    inner = np.array(overlaps(true, found))
    assert abs(int(found.max()) - int(true.max())) <= 0.05 * true.max()
    assert (inner > 0.5).mean() > 0.9


def test_grey_cells_in_bright_halos_are_found_one_by_one() -> None:
    image, true = spread()
    found = find_cells(image).labels
    assert found.max() == true.max()
    assert np.mean(overlaps(true, found)) > 0.8


def test_no_cell_swallows_its_neighbours() -> None:
    found = find_cells(scratch(WOUND)[0]).labels
    assert np.bincount(found.ravel())[1:].max() < 1000


def test_a_camera_of_twice_the_resolution_finds_the_same_cells() -> None:
    image, true = scratch(WOUND)
    larger = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    found = find_cells(larger).labels
    assert abs(int(found.max()) - int(true.max())) <= 0.1 * true.max()


@pytest.mark.parametrize("mean", [5.0, 100.0])
def test_noise_alone_has_no_cells(mean: float) -> None:
    assert not find_cells(np.random.default_rng(1).poisson(mean, (256, 256)).astype(np.uint16)).labels.any()
