"""Nuclei in fluorescence: a threshold tells them from ground, a watershed from each other, and each gets its own edge.

Lengths and fractions were tuned on the training fields of BBBC038 (Caicedo et al., Nature Methods 16, 1247 (2019)).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from services.common.abandonment import stop_if_abandoned
from services.common.imaging.labels import Labels, Mask
from services.segmentation.regions import distance_inside, fill_holes, split_by_depth, tidy, without_small
from services.segmentation.texture import QUANTISATION_NOISE, Plane, noise_deviation, smoothed, upper_class

GAMMA = 0.7  # below 1: dim nuclei beside bright ones stay above the common threshold
NOISY = 0.08  # noise / contrast, from which on smoothing gains more than its blur costs
NOISE_SIGMA_PX = 1.0
LEAST_CONTRAST = 1.0  # in standard deviations of the noise, after smoothing; noise alone reaches 0.45
SMALLEST_PX = 20
SEED_SIGMA_PX = 1.0
SEED_DEPTH_PX = 0.75
BRIGHTNESS_SIGMA_PX = 2.0
EDGE_FRACTION = 0.4  # a nucleus ends where it is this fraction of its own brightness above ground


def find_nuclei(image: NDArray[np.uint8] | NDArray[np.uint16]) -> Labels:
    """Instance labels of bright nuclei on a dark ground.

    image: (H, W). Returns (H, W) int32, 0 = background, each label 4-connected, numbered from 1 in reading order.
    """
    nothing = np.zeros(image.shape, np.int32)
    brightness = _brightness(image)
    stop_if_abandoned()
    if brightness is None:
        return nothing
    compressed = brightness**GAMMA
    above = upper_class(compressed, 0.0)
    if above is None:
        return nothing
    stop_if_abandoned()
    opened = cv2.morphologyEx(
        above.astype(np.uint8), cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    )
    mask = fill_holes(without_small(opened.astype(bool), SMALLEST_PX))
    if not mask.any():
        return nothing
    rough = tidy(split_by_depth(_height(compressed, mask), mask, SEED_DEPTH_PX), SMALLEST_PX)
    stop_if_abandoned()
    return _with_own_edges(rough, brightness, mask)


def _brightness(image: NDArray[np.uint8] | NDArray[np.uint16]) -> Plane | None:
    """`image` from 0 (ground) to 1, smoothed where it is noisy; None where nothing stands out of the noise."""
    # Hot pixels would stretch the range that Otsu's histogram has to cover.
    plane = np.minimum(image, cv2.medianBlur(image, 3).max()).astype(np.float32)
    noise, contrast = max(noise_deviation(plane), QUANTISATION_NOISE), _contrast(plane)
    if noise >= NOISY * contrast:
        plane = smoothed(plane, NOISE_SIGMA_PX)
        contrast = _contrast(plane)
    low = np.percentile(plane, 1)
    if contrast < LEAST_CONTRAST * noise or plane.max() <= low:
        return None
    return np.asarray(np.clip((plane - low) / (plane.max() - low), 0, 1), np.float32)


def _contrast(plane: Plane) -> float:
    """Distance between the means of the two classes that Otsu's threshold makes; 0 where rounding explains it."""
    above = upper_class(plane, QUANTISATION_NOISE)
    return 0.0 if above is None else float(plane[above].mean(dtype=np.float64) - plane[~above].mean(dtype=np.float64))


def _height(compressed: Plane, mask: Mask) -> Plane:
    """Rises towards the middle of nuclei: depth within the mask, plus brightness in standard deviations."""
    spread = max(float(compressed[mask].std()), 1e-6)
    depth = smoothed(distance_inside(mask), SEED_SIGMA_PX)
    return np.asarray(depth + smoothed(compressed, BRIGHTNESS_SIGMA_PX) / spread, np.float32)


def _with_own_edges(labels: Labels, brightness: Plane, mask: Mask) -> Labels:
    """Each nucleus cut back to EDGE_FRACTION of its upper quartile of brightness, holes filled.

    A common threshold would draw bright nuclei too large.
    """
    ground = float(np.median(brightness[~mask])) if not mask.all() else 0.0
    quartiles = _upper_quartiles(labels, brightness)
    cut = (ground + EDGE_FRACTION * (quartiles - ground)).astype(np.float32)
    stop_if_abandoned()
    kept = tidy(np.where(brightness > cut[labels], labels, 0), SMALLEST_PX)
    holes = fill_holes(kept > 0) & (kept == 0)
    if not holes.any():
        return kept
    stop_if_abandoned()
    nearest = ndimage.distance_transform_edt(kept == 0, return_distances=False, return_indices=True)
    return tidy(np.where(holes, kept[tuple(nearest)], kept), 1)


def _upper_quartiles(labels: Labels, values: Plane) -> NDArray[np.float64]:
    """Upper quartile of `values` over each label; index 0, the background, is 0. Labels run from 1 without gaps."""
    inside = labels > 0
    owners, inner = labels[inside], values[inside]
    ranked = inner[np.lexsort((inner, owners))]
    counts = np.bincount(owners)
    starts = np.cumsum(counts) - counts
    quartiles = np.zeros(counts.size)
    quartiles[1:] = ranked[starts[1:] + (3 * (counts[1:] - 1)) // 4]
    return quartiles
