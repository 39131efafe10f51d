"""What labels cannot say about an image, measured on real images.

docs/method.md, Appearance, defines each value.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from biosynth.contract import APPEARANCE_LIMITS
from numpy.typing import NDArray

from services.common.imaging.noise import noise_deviation
from services.generation.roles import LevelRoles

# Fewer background pixels than this share say nothing about the background's brightness.
MINIMUM_BACKGROUND = 0.01
QUANTUM = 1.0 / 255.0  # one grey level


@dataclass(frozen=True)
class Appearance:
    """How one image was acquired; the contract's message of the same name says what each value means."""

    background: float
    contrast: float
    spread: float
    noise: float
    sharpness: float


@dataclass(frozen=True)
class Look:
    """An appearance with the brightness of objects: `objects` is (n, 2), mean and deviation, in units of the contrast.

    A mean below 0 is that of an object darker than the background.
    """

    appearance: Appearance
    objects: NDArray[np.float32]


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
    return Look(
        Appearance(
            background=background,
            contrast=contrast,
            spread=min(float(means.std()) if means.size else 0.0, APPEARANCE_LIMITS["spread"]),
            noise=min(noise_deviation(image, outside), APPEARANCE_LIMITS["noise"]),
            sharpness=min(_sharpness(normal, objects > 0), APPEARANCE_LIMITS["sharpness"]),
        ),
        np.stack([means, deviations], 1).astype(np.float32),
    )


def _background(image: NDArray[np.float32], outside: NDArray[np.bool_]) -> float:
    if outside.mean() < MINIMUM_BACKGROUND:
        return float(np.percentile(image, 1))
    return float(np.median(image[outside]))


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
