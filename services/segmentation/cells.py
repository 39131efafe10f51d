"""Whole cells in phase contrast: texture tells them from bare ground, a watershed of brightness from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from services.common.labels import Labels, Mask
from services.segmentation.regions import fill_holes, split_by_depth, tidy, without_small
from services.segmentation.texture import Plane, flattened, log_local_deviation, smoothed

BACKGROUND_SIGMA_PX = 40
TEXTURE_RADIUS_PX = 3
SEED_SIGMA_PX = 3.0
SEED_DEPTH = 0.2
SMALLEST_PX = 60


def find_cells(image: NDArray[np.uint8] | NDArray[np.uint16]) -> Labels:
    """Instance labels of whole cells.

    image: (H, W) phase contrast or bright field. Returns (H, W) int32, 0 = background, each label 4-connected.
    """
    flat = flattened(image.astype(np.float32), BACKGROUND_SIGMA_PX)
    texture = log_local_deviation(flat, TEXTURE_RADIUS_PX)
    if texture.min() == texture.max():
        return np.zeros(image.shape, np.int32)
    mask: Mask = fill_holes(without_small(texture > threshold_otsu(texture), SMALLEST_PX), 4 * SMALLEST_PX)
    return tidy(split_by_depth(_height(flat, mask), mask, SEED_DEPTH), SMALLEST_PX)


def _height(flat: Plane, mask: Mask) -> Plane:
    """Brightness that rises towards the middle of cells, in standard deviations."""
    ground = np.median(flat[~mask]) if not mask.all() else np.median(flat)
    surface = smoothed(flat - np.float32(ground), SEED_SIGMA_PX)
    inside = surface[mask] if mask.any() else surface
    sign = 1.0 if np.median(inside) > 0 else -1.0
    return np.asarray(sign * surface / max(float(inside.std()), 1e-6), np.float32)
