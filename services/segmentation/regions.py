"""Small operations on masks and label maps that every segmenter needs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label
from skimage.morphology import h_maxima
from skimage.segmentation import watershed

from services.common.labels import Labels, Mask


def without_small(mask: Mask, smallest_px: float) -> Mask:
    """`mask` (H, W) without its 4-connected parts of fewer than `smallest_px` pixels."""
    labels = label(mask, connectivity=1)
    keep = np.bincount(labels.ravel()) >= smallest_px
    keep[0] = False
    return np.asarray(keep[labels], bool)


def fill_holes(mask: Mask, largest_px: float = np.inf) -> Mask:
    """`mask` (H, W) with its holes of at most `largest_px` pixels filled; a hole does not touch the image's edge."""
    holes = np.asarray(ndimage.binary_fill_holes(mask), bool) & ~mask
    if np.isfinite(largest_px):
        holes &= ~without_small(holes, largest_px + 1)
    return mask | holes


def tidy(labels: NDArray[np.integer], smallest_px: float) -> Labels:
    """Label maps as promised to callers: each label 4-connected, at least `smallest_px`, numbered 1..n by first pixel.

    labels: (H, W), 0 = background. A label in several parts becomes several labels. Returns (H, W) int32.
    """
    parts = label(labels, connectivity=1, background=0)
    keep = np.bincount(parts.ravel()) >= smallest_px
    keep[0] = False
    # Parts are numbered by their first pixel in reading order, so dropping some keeps that order.
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return np.asarray(numbers[parts], np.int32)


def split_by_distance(mask: Mask, depth_px: float, sigma_px: float = 1.0) -> Labels:
    """Parts of `mask` (H, W), cut at necks: a watershed of the smoothed distance to the outside.

    A neck cuts where both sides are at least `depth_px` thicker than it. Returns (H, W) int32, not yet tidy.
    """
    distance = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    return split_by_depth(cv2.GaussianBlur(distance, (0, 0), sigma_px), mask, depth_px)


def split_by_depth(height: NDArray[np.float32], mask: Mask, depth: float) -> Labels:
    """Parts of `mask`, one for each top of `height` (H, W) that rises at least `depth` above the pass to a higher one."""
    seeds = label(h_maxima(height, depth) & mask, connectivity=2)
    return np.asarray(watershed(-height, seeds, mask=mask), np.int32)
