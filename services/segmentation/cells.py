"""Whole cells in phase contrast: told from bare ground by texture, from halos by brightness, apart by a watershed.

A classical first attempt; its lengths were tuned on 34 fields of adherent cells about 30 px wide (oist/Usiigaci).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import expand_labels

from services.common.abandonment import stop_if_abandoned
from services.common.imaging.labels import Labels
from services.segmentation.regions import distance_inside, fill_holes, split_by_depth, tidy, without_small
from services.segmentation.texture import (
    QUANTISATION_NOISE,
    Plane,
    flattened,
    log_local_deviation,
    shrunk,
    smoothed,
    upper_class,
)

Image = NDArray[np.uint8] | NDArray[np.uint16]

# Lengths in pixels after binning by `_bin_factor`.
DETAIL_SIGMA_PX = 3.0
COARSER = 1.25  # ratio of detail, see _bin_factor; 36 fields of cells about 30 px wide lie at 0.45 to 1.0
BACKGROUND_SIGMA_PX = 20.0
TEXTURE_RADIUS_PX = 2
LEAST_SEPARATION = 0.2  # decades; camera noise alone reaches 0.1, a confluent sheet 0.3
RINGS = 10
RING_LIMIT = 0.2  # in standard deviations of brightness within the zone
LARGEST_GAP_PX = 400
SEED_SIGMA_PX = 2.0
REGROWTH_PX = 2
BRIGHTNESS_WEIGHT = 4.0  # pixels of thickness that one standard deviation of brightness is worth


@dataclass(frozen=True)
class _Look:
    """How cells differ from their halos. limit: in standard deviations towards the halo; others in (square) pixels."""

    limit: float
    margin_px: float
    smallest_px: int
    largest_hole_px: int
    depth_px: float


# Spread cells: grey bodies, little darker than the ground, in bright halos. Tuned on the training fields of usiigaci.
DARK = _Look(limit=0.3, margin_px=5, smallest_px=150, largest_hole_px=400, depth_px=3.0)
# Rounded cells: brighter than the ground, in dark rims. Set by eye on scratch-assay frames: there is no truth for them.
BRIGHT = _Look(limit=-0.2, margin_px=2, smallest_px=40, largest_hole_px=60, depth_px=1.5)


@dataclass(frozen=True, eq=False)
class CellsByTexture:
    """labels: (H, W) int32, 4-connected, from 1 in reading order. bright: in dark rims rather than bright halos."""

    labels: Labels
    bright: bool


def find_cells(image: Image) -> CellsByTexture:
    """Whole cells in an image (H, W) of phase contrast or bright field.

    The image is binned so that detail has the size that the lengths above were tuned for. The textured zone holds
    cells and their halos. Its rim, next to bare ground, is halo: whether that is bright or dark tells which part of the
    zone is cells. What is left after the halo is taken away is cut where it is thin or looks like halo.
    """
    plane = image.astype(np.float32)
    found = _cells(flattened(shrunk(plane, _bin_factor(plane)), BACKGROUND_SIGMA_PX))
    stop_if_abandoned()
    full = cv2.resize(found.labels, image.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return CellsByTexture(tidy(full.astype(np.int32, copy=False), 1), found.bright)


def _bin_factor(image: Plane) -> int:
    """2 where detail is clearly stronger at twice DETAIL_SIGMA_PX than at it, else 1."""
    return 2 if _detail(shrunk(image, 2)) > COARSER * _detail(image) else 1


def _detail(image: Plane) -> float:
    """How strong the detail of DETAIL_SIGMA_PX is."""
    curvature = cv2.Laplacian(smoothed(image, DETAIL_SIGMA_PX), cv2.CV_32F, borderType=cv2.BORDER_REFLECT)
    return float(curvature.std(dtype=np.float64))


def _cells(flat: Plane) -> CellsByTexture:
    """The cells in a flattened image (H, W) at the tuned scale."""
    nothing = CellsByTexture(np.zeros(flat.shape, np.int32), bright=False)
    stop_if_abandoned()
    covered = upper_class(log_local_deviation(flat, TEXTURE_RADIUS_PX), LEAST_SEPARATION)
    if covered is None:
        return nothing
    stop_if_abandoned()
    # Fills patches without texture within cells; those at the image's edge too, which fill_holes would leave.
    zone = ~without_small(~without_small(covered, BRIGHT.smallest_px), LARGEST_GAP_PX)
    if not zone.any():
        return nothing
    bare = flat[~zone] if not zone.all() else flat
    deviation = (flat - np.median(bare)) / max(float(flat[zone].std()), QUANTISATION_NOISE)
    inside = distance_inside(zone)
    stop_if_abandoned()
    if _halo_is_bright(deviation, inside):
        return CellsByTexture(_bodies(deviation, inside, DARK), bright=False)
    return CellsByTexture(_bodies(-deviation, inside, BRIGHT), bright=True)


def _halo_is_bright(deviation: Plane, inside: Plane) -> bool:
    """Whether the first ring, from bare ground inwards, that clearly differs from the ground is brighter than it.

    deviation: (H, W) in standard deviations; inside: (H, W) depth within the textured zone.
    """
    depth = np.minimum(np.ceil(inside), RINGS + 1).astype(np.int64).ravel()
    counts = np.bincount(depth, minlength=RINGS + 2)[1:-1]
    sums = np.bincount(depth, weights=deviation.ravel(), minlength=RINGS + 2)[1:-1]
    means = sums / np.maximum(counts, 1)
    clear = np.flatnonzero(np.abs(means) > RING_LIMIT)
    return bool(means[clear[0] if clear.size else np.argmax(np.abs(means))] >= 0)


def _bodies(halo: Plane, inside: Plane, look: _Look) -> Labels:
    """Labels of what is not halo.

    halo: (H, W) deviation of brightness, positive towards the halo. inside: (H, W) depth within the textured zone.
    """
    body = without_small((inside > look.margin_px) & (halo < look.limit), look.smallest_px)
    body = fill_holes(body, look.largest_hole_px)
    height = smoothed(distance_inside(body), SEED_SIGMA_PX) - BRIGHTNESS_WEIGHT * smoothed(halo, SEED_SIGMA_PX)
    cells = tidy(split_by_depth(height, body, look.depth_px), look.smallest_px)
    stop_if_abandoned()
    return np.asarray(expand_labels(cells, REGROWTH_PX), np.int32)
