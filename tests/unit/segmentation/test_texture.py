from __future__ import annotations

import numpy as np
import pytest

from services.segmentation.texture import (
    QUANTISATION_NOISE,
    binned,
    flattened,
    log_local_deviation,
    noise_deviation,
    upper_class,
)

RNG_SEED = 3


def _noise(sigma: float, shape: tuple[int, int] = (200, 200)) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(RNG_SEED).normal(100, sigma, shape).astype(np.float32)


def test_bins_are_whole_pixels_and_keep_the_mean() -> None:
    image = np.arange(24, dtype=np.uint16).reshape(4, 6)
    assert binned(image, 3).tolist() == [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]
    assert np.array_equal(binned(image, 100), image)


def test_an_image_narrower_than_a_bin_keeps_one_column() -> None:
    assert binned(np.ones((900, 1), np.uint8), 300).shape == (300, 1)


def test_flattening_takes_a_slow_slope_away() -> None:
    slope = np.tile(np.linspace(0, 50, 200, dtype=np.float32), (200, 1))
    assert np.abs(flattened(slope, 10)[:, 40:-40]).max() < 0.1


def test_local_deviation_is_that_of_the_noise_in_decades() -> None:
    # A disk of radius 3 has 29 pixels: the mean of its log deviation lies a little below the truth.
    assert log_local_deviation(_noise(10.0), 3).mean() == pytest.approx(1.0, abs=0.03)


def test_flat_ground_has_the_texture_of_rounding() -> None:
    assert log_local_deviation(np.full((9, 9), 7, np.float32), 2) == pytest.approx(np.log10(QUANTISATION_NOISE))


def test_two_kinds_of_ground_are_told_apart_where_they_differ_enough() -> None:
    image = np.hstack([_noise(1.0), _noise(12.0)])
    mask = upper_class(log_local_deviation(image, 3), 0.45)
    assert mask is not None
    assert mask[:, 210:].mean() > 0.99
    assert mask[:, :190].mean() < 0.01


@pytest.mark.parametrize("image", [_noise(5.0), np.zeros((30, 30), np.float32)])
def test_one_kind_of_ground_is_not_split(image: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    assert upper_class(log_local_deviation(image, 3), 0.2) is None


def test_float_steps_coarser_than_the_histogram_are_no_error() -> None:
    near_white = np.full((8, 8), 65535, np.float32)
    near_white[0, 0] -= np.float32(0.0078125)
    assert upper_class(near_white, 0.29) is None
    near_white[0, 0] = np.float32(65534.5)
    found = upper_class(near_white, 0.29)
    assert found is not None
    assert found.sum() == 63


def test_noise_is_measured_blind_to_slopes_and_steps() -> None:
    step = np.where(np.arange(200) < 100, 0.0, 80.0).astype(np.float32)
    assert noise_deviation(_noise(4.0) + step) == pytest.approx(4.0, rel=0.1)
