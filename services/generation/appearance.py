"""What labels cannot say about an image, measured on real images.

docs/method.md, Appearance, defines each value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from biosynth.contract import APPEARANCE_LIMITS
from numpy.typing import NDArray

from services.generation.grain import QUANTUM, ROUNDING, grain_variance, pixel_noise
from services.generation.ground import ground_of, unevenness
from services.generation.roles import LevelRoles
from services.generation.shapes import SHAPE_VALUES, shapes_of

# Fewer background pixels than this share say nothing about the background's brightness.
MINIMUM_BACKGROUND = 0.01


@dataclass(frozen=True)
class Appearance:
    """How one image was acquired; the contract's message of the same name says what each value means."""

    background: float
    contrast: float
    spread: float
    noise: float
    sharpness: float
    grain: float = 0.0
    unevenness: float = 0.0


@dataclass(frozen=True)
class Look:
    """An appearance with the brightness of objects: `objects` is (n, 2), mean and deviation, in units of the contrast.

    A mean below 0 is that of an object darker than the background. shapes: (n, 3) from `shapes_of`, or (0, 3) where
    they are not known.
    """

    appearance: Appearance
    objects: NDArray[np.float32]
    shapes: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, SHAPE_VALUES), np.float32))


def measure(
    image: NDArray[np.float32], reference: NDArray[np.uint8], objects: NDArray[np.int32], roles: LevelRoles
) -> Look:
    """Measure the look of a real image with the help of its reference.

    image: (H, W), 0 to 1. reference: (H, W) level indices. objects: (H, W) from `find_objects`.
    """
    outside = np.isin(reference, roles.background)
    background = _background(image, outside)
    deviation = np.abs(image - background)[objects > 0]
    contrast = max(float(deviation.mean()) if deviation.size else 0.0, QUANTUM)
    normal = (image - background) / contrast
    means, deviations = _object_statistics(normal, objects)
    noise = pixel_noise(image, outside)
    rest = noise**2 + ROUNDING
    return Look(
        Appearance(
            background=background,
            contrast=contrast,
            spread=min(float(means.std()) if means.size else 0.0, APPEARANCE_LIMITS["spread"]),
            noise=min(noise, APPEARANCE_LIMITS["noise"]),
            sharpness=min(_sharpness(normal, objects > 0), APPEARANCE_LIMITS["sharpness"]),
            grain=min(math.sqrt(grain_variance(image, np.abs(normal), objects, rest)), APPEARANCE_LIMITS["grain"]),
            unevenness=min(unevenness(image, ground_of(objects), rest), APPEARANCE_LIMITS["unevenness"]),
        ),
        np.stack([means, deviations], 1).astype(np.float32),
        shapes_of(objects),
    )


def _background(image: NDArray[np.float32], outside: NDArray[np.bool_]) -> float:
    if outside.mean() < MINIMUM_BACKGROUND:
        return float(np.percentile(image, 1))
    return _median(image[outside])


def _median(values: NDArray[np.float32]) -> float:
    """Median of grey levels, inside the middle one by its share of pixels: a dark ground is a few levels in all.

    >>> round(_median(np.array([1, 1, 2, 2, 2], np.float32) / 255) * 255, 3)
    1.667
    """
    counts = np.bincount(np.rint(values / QUANTUM).astype(np.intp))
    below = np.cumsum(counts)
    level = int(np.searchsorted(below, values.size / 2))
    before = below[level] - counts[level]
    return float((level - 0.5 + (values.size / 2 - before) / counts[level]) * QUANTUM)


def _sharpness(normal: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """Standard deviation of detail below 1 px (Gaussian sigma) over that from 1 to 4 px, on and near objects."""
    fine, coarse = cv2.GaussianBlur(normal, (0, 0), 1.0), cv2.GaussianBlur(normal, (0, 0), 4.0)
    near = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if not near.any():
        return 0.0
    return float(np.std((normal - fine)[near]) / (np.std((fine - coarse)[near]) + 1e-6))


def _object_statistics(
    normal: NDArray[np.float32], objects: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    flat, values = objects.ravel(), normal.ravel().astype(np.float64)
    sizes = np.maximum(np.bincount(flat), 1)
    means = np.bincount(flat, values) / sizes
    variances = np.bincount(flat, values * values) / sizes - means * means
    return means[1:], np.sqrt(np.maximum(variances[1:], 0.0))
