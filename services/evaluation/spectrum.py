"""How fine detail is distributed over spatial frequencies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidImage


def radial_power_spectrum(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean power per spatial frequency.

    image: (H, W), any scale. Returns (min(H, W) // 2,), power per bin of 1 cycle per shorter side, DC first.
    Raises InvalidImage for fewer than 2 pixels a side. After van der Schaaf & van Hateren (1996); docs/method.md,
    Radial power spectrum.

    >>> wave = np.outer(np.ones(16), np.cos(2 * np.pi * 4 * np.arange(16) / 16))
    >>> int(radial_power_spectrum(wave).argmax())
    4
    """
    height, width = image.shape
    side = min(height, width)
    if side < 2:
        raise InvalidImage(f"expected at least 2 x 2 pixels; got {height} x {width}")
    window = np.outer(np.hanning(height), np.hanning(width))  # without it, the jump at the borders fills the spectrum
    power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2
    cycles = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]) * side
    bins = np.rint(cycles).astype(np.intp).ravel()
    total, count = np.bincount(bins, power.ravel()), np.bincount(bins)
    return (total / np.maximum(count, 1))[: side // 2]


def spectrum_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Mean absolute difference of the base-10 logarithms of two radial spectra, DC left out; 0 for equal ones.

    Both (H, W) of one size, on one scale. Raises InvalidImage for two sizes, or fewer than 4 pixels a side: below
    that, there is no frequency but DC.

    >>> image = np.random.default_rng(0).random((8, 8))
    >>> round(spectrum_distance(image, 10 * image), 3)  # 100 times the power is 2 decades
    2.0
    """
    if first.shape != second.shape or min(first.shape) < 4:
        raise InvalidImage(f"expected two images of one size, at least 4 x 4 pixels; got {first.shape}, {second.shape}")
    logs = [np.log10(radial_power_spectrum(image)[1:] + 1e-12) for image in (first, second)]
    return float(np.abs(logs[0] - logs[1]).mean())
