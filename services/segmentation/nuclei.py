"""Nuclei in fluorescence: a threshold tells them from ground, a distance watershed from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from services.common.labels import Labels
from services.segmentation.regions import fill_holes, split_by_distance, tidy, without_small
from services.segmentation.texture import smoothed

SMOOTHING_SIGMA_PX = 1.0
SEED_DEPTH_PX = 0.75
SMALLEST_PX = 20


def find_nuclei(image: NDArray[np.uint8] | NDArray[np.uint16]) -> Labels:
    """Instance labels of bright nuclei on a dark ground.

    image: (H, W). Returns (H, W) int32, 0 = background, each label 4-connected, numbered from 1 in reading order.
    """
    bright = smoothed(image.astype(np.float32), SMOOTHING_SIGMA_PX)
    if bright.min() == bright.max():
        return np.zeros(image.shape, np.int32)
    mask = fill_holes(without_small(bright > threshold_otsu(bright), SMALLEST_PX))
    return tidy(split_by_distance(mask, SEED_DEPTH_PX), SMALLEST_PX)
