"""The finest detail of an image: its pixels' noise, and the grain of its objects."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

QUANTUM = 1.0 / 255.0  # one grey level
# Variance that rounding to grey levels adds.
ROUNDING = QUANTUM**2 / 12
# How far (px) from their outlines the insides of objects begin, and how far the ground.
_EDGE_PX, _GROUND_PX = 3, 4
# Fewer pixels than this share say nothing of their own: all are taken.
_LEAST = 0.01
# Structure of the ground is in few pixels: the largest residues are left out. The mean of the others is that of |x|, x
# standard normal, below its 95th percentile: 2 (phi(0) - phi(1.96)) / 0.95.
_KEPT_PERCENT, _MEAN_OF_KEPT = 95, 0.7168
# Noise of few tenths of a grey level shows near the border of two levels alone; rounding adds no fixed variance to it:
# the mean of kept residues by the noise's deviation, both in grey levels, simulated on an even slope.
_FAINT_KEPT = (0.0, 0.022, 0.073, 0.126, 0.177, 0.230, 0.275, 0.313, 0.347, 0.414, 0.477)
_FAINT_NOISE = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
# Fewer pixels inside objects, or objects fainter than this share of the contrast, have no grain that could be measured.
_LEAST_PIXELS, _LEAST_LEVEL = 50, 0.1


def pixel_noise(image: NDArray[np.float32], outside: NDArray[np.bool_]) -> float:
    """Standard deviation of the noise of pixels on the background, without what rounding to 8 bit adds.

    image: (H, W), 0 to 1. outside: (H, W), True on the background. docs/method.md, Appearance.

    >>> noisy = np.random.default_rng(0).normal(0.5, 0.02, (64, 64)).astype(np.float32)
    >>> round(pixel_noise(noisy, np.ones((64, 64), bool)), 2)
    0.02
    """
    kept = _kept_on_ground(image, outside)
    if kept is None:
        kept = _kept(np.abs(_fine_detail(image)).ravel())
    if kept < _FAINT_KEPT[-1] * QUANTUM:
        return float(np.interp(kept / QUANTUM, _FAINT_KEPT, _FAINT_NOISE) * QUANTUM)
    return math.sqrt((kept / _MEAN_OF_KEPT) ** 2 - ROUNDING)


def ground_variance(image: NDArray[np.float32], outside: NDArray[np.bool_]) -> float:
    """Variance of fine detail on the background, as normal noise would have it; 0 where there is too little of it.

    image: not rounded to grey levels. image, outside: see `pixel_noise`.
    """
    return ((_kept_on_ground(image, outside) or 0.0) / _MEAN_OF_KEPT) ** 2


def _kept_on_ground(image: NDArray[np.float32], outside: NDArray[np.bool_]) -> float | None:
    far = _eroded(outside, _GROUND_PX)
    return _kept(np.abs(_fine_detail(image))[far]) if far.mean() > _LEAST else None


def _kept(residue: NDArray[np.float32]) -> float:
    """The mean of residues without the largest."""
    return float(residue[residue <= np.percentile(residue, _KEPT_PERCENT)].mean())


def grain_variance(
    image: NDArray[np.float32], level: NDArray[np.float32], objects: NDArray[np.int32], noise_variance: float = 0.0
) -> float:
    """Variance of fine detail inside objects, for each unit of `level`, with which it grows as that of photons does.

    image: (H, W). level: (H, W), the distance from the background in units of the contrast. objects: (H, W), 0 =
    background. noise_variance: of pixels, rounding included, which is no grain. 0 where there is too little to measure.
    """
    inside = _eroded(objects > 0, _EDGE_PX)
    if np.count_nonzero(inside) < _LEAST_PIXELS or (mean := float(level[inside].mean())) < _LEAST_LEVEL:
        return 0.0
    return max(0.0, float(np.square(_fine_detail(image)[inside]).mean()) - noise_variance) / mean


def _fine_detail(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """An image without its smooth parts, white noise keeping its deviation: Immerkaer's kernel (CVIU 64, 1996) by its
    norm.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / np.float32(6)
    return np.asarray(cv2.filter2D(image, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT), np.float32)


def _eroded(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    square = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return np.asarray(cv2.erode(mask.astype(np.uint8), square) > 0)
