"""Small operations on masks and label maps that every segmenter needs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from services.common.abandonment import stop_if_abandoned
from services.common.imaging.labels import Labels, Mask

WHOLE_STEPS = 256


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

    >>> tidy(np.array([[7, 7, 0, 3], [0, 0, 0, 0], [7, 7, 7, 0]]), 2)
    array([[1, 1, 0, 0],
           [0, 0, 0, 0],
           [2, 2, 2, 0]], dtype=int32)
    """
    parts = label(labels, connectivity=1, background=0)
    keep = np.bincount(parts.ravel()) >= smallest_px
    keep[0] = False
    # Parts are numbered by their first pixel in reading order, so dropping some keeps that order.
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return np.asarray(numbers[parts], np.int32)


def distance_inside(mask: Mask) -> NDArray[np.float32]:
    """Distance of each pixel of `mask` (H, W) to the nearest outside it, in pixels; 0 outside.

    The image's edge does not count as outside.
    """
    if mask.all():
        return np.full(mask.shape, np.hypot(*mask.shape), np.float32)
    distance = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, np.float32)


def split_by_depth(height: NDArray[np.float32], mask: Mask, depth: float) -> Labels:
    """Parts of `mask`, one for each top of `height` (H, W) that rises at least `depth` above the pass to a higher one.

    Returns (H, W) int32, not yet tidy. Seeds are the domes of height `depth` within the mask (h-maxima; Soille,
    Morphological Image Analysis, 6.3).

    >>> height = np.array([[0, 1, 4, 1, 3, 1, 0]], np.float32)
    >>> split_by_depth(height, height > 0, depth=1.0)
    array([[0, 1, 1, 1, 2, 2, 0]], dtype=int32)
    >>> split_by_depth(height, height > 0, depth=3.0)
    array([[0, 1, 1, 1, 1, 1, 0]], dtype=int32)
    """
    # Heights in whole steps of depth / 256: exact arithmetic needs no tolerance to find the tops of domes.
    steps = np.where(mask, np.rint(height * np.float32(256 / depth)), np.float32(-1e6)).astype(np.float32)
    lowered = _reconstructed(steps - 256, steps)
    stop_if_abandoned()
    # Tops of equal height without a deep pass between them lie on one plateau of the lowered image: one seed.
    plateaus = label(local_maxima(lowered, connectivity=2), connectivity=2)
    seeds = np.where((steps - lowered >= 256) & mask, plateaus, 0)
    stop_if_abandoned()
    return np.asarray(watershed(-height, seeds, mask=mask), np.int32)


def _reconstructed(marker: NDArray[np.float32], limit: NDArray[np.float32]) -> NDArray[np.float32]:
    """`marker` dilated under `limit` until nothing changes.

    Steps of the whole image are several times faster than a sorted queue where paths are as short as cells. A path
    can be as long as the image has pixels, so after WHOLE_STEPS the queue, whose time is bounded, does the rest.
    """
    square = np.ones((3, 3), np.uint8)
    for _ in range(WHOLE_STEPS):
        stop_if_abandoned()
        grown = np.asarray(cv2.min(cv2.dilate(marker, square), limit), np.float32)
        if np.array_equal(grown, marker):
            return grown
        marker = grown
    return np.asarray(reconstruction(marker, limit, method="dilation"), np.float32)
