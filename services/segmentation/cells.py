"""Whole cells in phase contrast: texture tells them from bare ground, polarity and a watershed from each other.

A classical first attempt; its lengths were tuned on 34 fields of adherent cells about 30 px wide (oist/Usiigaci).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu
from skimage.segmentation import expand_labels

from services.common.labels import Labels
from services.segmentation.regions import distance_inside, fill_holes, split_by_depth, tidy, without_small
from services.segmentation.texture import QUANTISATION_NOISE, Plane, flattened, log_local_deviation, smoothed

Image = NDArray[np.uint8] | NDArray[np.uint16]

# Lengths in pixels after binning by `_bin_factor`.
DETAIL_SIGMA_PX = 3.0
LARGEST_BIN = 2
BACKGROUND_SIGMA_PX = 20.0
TEXTURE_RADIUS_PX = 2
RIM_PX = 4
LARGEST_GAP_PX = 400
SEED_SIGMA_PX = 2.0
REGROWTH_PX = 2
BRIGHTNESS_WEIGHT = 4.0  # pixels of thickness that one standard deviation of brightness is worth


@dataclass(frozen=True)
class _Look:
    """How cells differ from their halo: `limit` in standard deviations towards the halo, the rest in (square) pixels."""

    limit: float
    margin_px: float
    smallest_px: int
    largest_hole_px: int
    depth_px: float


# Spread cells: grey bodies, little darker than the ground, in bright halos. Tuned on the training fields of usiigaci.
DARK = _Look(limit=0.3, margin_px=5, smallest_px=150, largest_hole_px=400, depth_px=3.0)
# Rounded cells: brighter than the ground, in dark rims. Set by eye on scratch-assay frames: there is no truth for them.
BRIGHT = _Look(limit=-0.2, margin_px=2, smallest_px=40, largest_hole_px=60, depth_px=1.5)


def find_cells(image: Image) -> Labels:
    """Instance labels of whole cells.

    image: (H, W) phase contrast or bright field. Returns (H, W) int32, 0 = background, each label 4-connected,
    numbered from 1 in reading order.

    The image is binned so that detail has the size that the lengths above were tuned for. The textured zone holds
    cells and their halos. Whether cells are the dark or the bright part of it is read off its rim: next to bare ground
    lies the halo. What is left after the halo is taken away is cut where it is thin or looks like halo.
    """
    height, width = image.shape
    n = _bin_factor(image.astype(np.float32))
    small = cv2.resize(
        image.astype(np.float32), (max(1, width // n), max(1, height // n)), interpolation=cv2.INTER_AREA
    )
    labels = _cells(flattened(small.astype(np.float32), BACKGROUND_SIGMA_PX))
    full = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    return tidy(full, 1)


def _bin_factor(image: Plane) -> int:
    """How many pixels to bin so that detail of DETAIL_SIGMA_PX is as strong as it can be."""
    strength = []
    for n in range(1, LARGEST_BIN + 1):
        size = (max(1, image.shape[1] // n), max(1, image.shape[0] // n))
        blurred = smoothed(cv2.resize(image, size, interpolation=cv2.INTER_AREA), DETAIL_SIGMA_PX)
        strength.append(float(cv2.Laplacian(blurred, cv2.CV_32F, borderType=cv2.BORDER_REFLECT).std()))
    return int(np.argmax(strength)) + 1


def _cells(flat: Plane) -> Labels:
    """Labels of the cells in a flattened image (H, W) at the tuned scale."""
    texture = log_local_deviation(flat, TEXTURE_RADIUS_PX)
    nothing = np.zeros(flat.shape, np.int32)
    if texture.min() == texture.max():
        return nothing
    zone = fill_holes(without_small(texture > threshold_otsu(texture), BRIGHT.smallest_px), LARGEST_GAP_PX)
    if not zone.any():
        return nothing
    bare = flat[~zone] if not zone.all() else flat
    deviation = (flat - np.median(bare)) / max(float(flat[zone].std()), QUANTISATION_NOISE)
    inside = distance_inside(zone)
    rim = smoothed(deviation, SEED_SIGMA_PX)[(inside > 0) & (inside <= RIM_PX)]
    if rim.size == 0 or rim.mean(dtype=np.float64) >= 0:
        return _bodies(deviation, inside, DARK)
    return _bodies(-deviation, inside, BRIGHT)


def _bodies(halo: Plane, inside: Plane, look: _Look) -> Labels:
    """Labels of what is not halo.

    halo: (H, W) deviation of brightness, positive towards the halo. inside: (H, W) depth within the textured zone.
    """
    body = without_small((inside > look.margin_px) & (halo < look.limit), look.smallest_px)
    body = fill_holes(body, look.largest_hole_px)
    height = smoothed(distance_inside(body), SEED_SIGMA_PX) - BRIGHTNESS_WEIGHT * smoothed(halo, SEED_SIGMA_PX)
    cells = tidy(split_by_depth(height, body, look.depth_px), look.smallest_px)
    return np.asarray(expand_labels(cells, REGROWTH_PX), np.int32)
