"""Local texture of an image: what tells cells from bare ground in phase contrast."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from services.common.imaging.labels import Mask

Plane: TypeAlias = NDArray[np.float32]

# Standard deviation of rounding to whole grey levels, 1/sqrt(12): texture below it is not in the image.
QUANTISATION_NOISE = 0.29


def binned(image: NDArray[np.uint8] | NDArray[np.uint16], longest_px: int) -> Plane:
    """Mean over square bins of a whole number of pixels, so that the longer side has about `longest_px`.

    image: (H, W). Returns (H // n, W // n) float32, at least 1 x 1; an image that is small enough comes back unbinned.
    """
    return shrunk(image.astype(np.float32), max(1, round(max(image.shape) / longest_px)))


def shrunk(image: Plane, n: int) -> Plane:
    """Mean of `image` (H, W) over bins of n x n pixels; (H // n, W // n), at least 1 x 1."""
    size = (max(1, image.shape[1] // n), max(1, image.shape[0] // n))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)


def flattened(image: Plane, sigma_px: float) -> Plane:
    """`image` (H, W) without its background, a Gaussian mean of `sigma_px`."""
    return image - smoothed(image, sigma_px)


def smoothed(image: Plane, sigma_px: float) -> Plane:
    """Gaussian mean of `image` (H, W), mirrored at the edges."""
    return cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT).astype(np.float32, copy=False)


def log_local_deviation(image: Plane, radius_px: int) -> Plane:
    """log10 of the standard deviation within a disk of `radius_px` around each pixel.

    image: (H, W) in grey levels. Returns (H, W) float32, in decades of grey levels, floored at the noise of rounding.
    """
    span = np.arange(-radius_px, radius_px + 1)
    disk = (span[:, None] ** 2 + span**2 <= radius_px**2).astype(np.float32)
    disk /= disk.sum()
    mean = cv2.filter2D(image, -1, disk, borderType=cv2.BORDER_REFLECT)
    power = cv2.filter2D(image * image, -1, disk, borderType=cv2.BORDER_REFLECT)
    variance = np.maximum(power - mean * mean, QUANTISATION_NOISE**2)
    return (0.5 * np.log10(variance)).astype(np.float32)


def upper_class(plane: Plane, least_separation: float) -> Mask | None:
    """Where `plane` (H, W) lies above Otsu's threshold.

    None where the means of the two classes are less than `least_separation` apart: all is of one kind.

    >>> upper_class(np.array([[1, 2, 8, 9]], np.float32), least_separation=3.0)
    array([[False, False,  True,  True]])
    """
    if float(plane.max()) - float(plane.min()) < least_separation:
        return None
    # The histogram's bins can be finer than float32's steps at 65,535.
    above: Mask = plane > threshold_otsu(plane.astype(np.float64))
    separation = float(plane[above].mean(dtype=np.float64) - plane[~above].mean(dtype=np.float64))
    return above if separation >= least_separation else None


def noise_deviation(image: Plane) -> float:
    """Standard deviation of white noise in `image` (H, W), by a filter that is blind to edges and slopes.

    After Immerkaer, Computer Vision and Image Understanding 64, 300 (1996).
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    answer = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT)
    return float(np.sqrt(np.pi / 2) / 6 * np.abs(answer).mean(dtype=np.float64))
