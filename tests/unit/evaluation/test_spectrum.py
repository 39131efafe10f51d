"""Detail over spatial frequencies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.common.errors import InvalidImage
from services.evaluation.spectrum import radial_power_spectrum, spectrum_distance


def _noise(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((height, width), np.float32)


@given(st.integers(2, 40), st.integers(2, 40))
def test_there_is_a_finite_bin_for_every_cycle_of_the_shorter_side(height: int, width: int) -> None:
    power = radial_power_spectrum(_noise(height, width))
    assert power.shape == (min(height, width) // 2,)
    assert np.isfinite(power).all()
    assert (power >= 0).all()


@pytest.mark.parametrize("cycles", [4, 11, 25])
def test_the_power_of_a_wave_is_in_the_bin_of_its_cycles(cycles: int) -> None:
    x = np.arange(128)
    wave = np.broadcast_to(np.sin(2 * np.pi * cycles * x / 128), (96, 128)).astype(np.float32)
    # Bins count cycles per shorter side, here 96 of the 128 pixels.
    assert abs(int(radial_power_spectrum(wave).argmax()) - round(cycles * 96 / 128)) <= 1
    assert np.array_equal(radial_power_spectrum(wave).argmax(), radial_power_spectrum(wave.T.copy()).argmax())


def test_white_noise_has_as_much_power_at_every_frequency() -> None:
    power = radial_power_spectrum(_noise(256, 256))[4:]
    assert power[:60].mean() == pytest.approx(power[60:].mean(), rel=0.1)


def test_brightness_alone_is_no_detail() -> None:
    assert radial_power_spectrum(np.full((16, 16), 0.7, np.float32)) == pytest.approx(np.zeros(8), abs=1e-9)


@given(st.integers(4, 30), st.integers(4, 30))
def test_the_distance_is_0_to_oneself_and_the_same_both_ways(height: int, width: int) -> None:
    first, second = _noise(height, width), _noise(height, width, 1)
    assert spectrum_distance(first, first) == 0.0
    assert spectrum_distance(first, second) == spectrum_distance(second, first) > 0.0


def test_ten_times_the_amplitude_is_two_decades_away() -> None:
    assert spectrum_distance(_noise(64, 64), 10 * _noise(64, 64)) == pytest.approx(2.0, abs=1e-3)


def test_the_more_blur_the_farther() -> None:
    image = _noise(64, 64)
    once = (image + np.roll(image, 1, 0) + np.roll(image, 1, 1)) / np.float32(3)
    twice = (once + np.roll(once, 1, 0) + np.roll(once, 1, 1)) / np.float32(3)
    assert 0.1 < spectrum_distance(image, once) < spectrum_distance(image, twice)


@pytest.mark.parametrize("size", [(1, 8), (8, 1)])
def test_a_line_has_no_spectrum(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidImage, match="at least 2 x 2"):
        radial_power_spectrum(_noise(*size))


@pytest.mark.parametrize("sizes", [((3, 8), (3, 8)), ((8, 8), (8, 9))])
def test_images_too_small_or_of_two_sizes_have_no_distance(sizes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    with pytest.raises(InvalidImage, match="one size, at least 4 x 4"):
        spectrum_distance(*(_noise(*size) for size in sizes))
