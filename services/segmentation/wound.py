"""The wound of a scratch assay by texture: the smooth zone that runs from one side of the image to the other."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu
from skimage.measure import label

from services.common.abandonment import stop_if_abandoned
from services.common.imaging.labels import Mask
from services.segmentation.regions import distance_inside, fill_holes, without_small
from services.segmentation.texture import Plane, binned, log_local_deviation, smoothed

WORKING_PX = 1000  # the longer side while working; the lengths below are in pixels of that size
TEXTURE_RADIUS_PX = 3
DENSITY_SIGMA_PX = 18
NARROWEST_COVER_PX = 20
SMALLEST_FRACTION = 0.01
# Two classes that are told apart explain this much of the variance; a single normal one cut in two explains 0.64.
LEAST_EXPLAINED = 0.72
LEAST_SEPARATION = 0.1  # decades of grey levels between bare ground and cells


def find_wound(image: NDArray[np.uint8] | NDArray[np.uint16]) -> Mask:
    """The cell-free zone that spans the image, filled; all False where there is none.

    image: (H, W) phase contrast, bright field, or fluorescence. Returns (H, W) bool. docs/method.md, Wound zone, has
    the steps. The Gaussian mean of texture (the log of the local standard deviation) is high over cells and low over
    bare ground, with the front half-way. Where it does not fall into two classes, all is of one kind: "no wound".
    """
    texture = log_local_deviation(binned(image, WORKING_PX), TEXTURE_RADIUS_PX)
    stop_if_abandoned()
    bare = _bare(texture)
    if bare is None:
        return np.zeros(image.shape, bool)
    stop_if_abandoned()
    smallest = SMALLEST_FRACTION * bare.size
    covered = ~without_small(bare, smallest)
    bare = ~without_small(_without_narrow(covered), smallest)
    zone = fill_holes(_spanning(bare)).astype(np.uint8)
    height, width = image.shape
    return cv2.resize(zone, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)


def _bare(texture: Plane) -> Mask | None:
    """Where the mean of `texture` (H, W) is below the middle between its two classes; None where it has no two."""
    first = _classes(smoothed(texture, DENSITY_SIGMA_PX))
    if first is None:
        return None
    # Edges of bright nuclei and debris must weigh no more than a sheet of cells does: they would shift the front.
    mean = smoothed(np.minimum(texture, np.float32(first[1])), DENSITY_SIGMA_PX)
    second = _classes(mean)
    return None if second is None else mean < sum(second) / 2


def _classes(mean: Plane) -> tuple[float, float] | None:
    """Means of the two classes of `mean` by Otsu's threshold, None where they are not told apart."""
    if float(np.ptp(mean)) < LEAST_SEPARATION:
        return None
    # The histogram's bins can be finer than float32's steps at 65,535.
    above = mean > threshold_otsu(mean.astype(np.float64))
    low, high = (float(mean[part].mean(dtype=np.float64)) for part in (~above, above))
    share = float(above.mean())
    explained = share * (1 - share) * (high - low) ** 2 / float(mean.var(dtype=np.float64))
    return (low, high) if explained >= LEAST_EXPLAINED and high - low >= LEAST_SEPARATION else None


def _without_narrow(mask: Mask) -> Mask:
    """`mask` (H, W) where a disk of NARROWEST_COVER_PX fits: single cells and debris no longer join the two fronts.

    The image's edge cuts nothing off: what lies there is taken to go on outside.
    """
    core = distance_inside(mask) > NARROWEST_COVER_PX
    return (distance_inside(~core) <= NARROWEST_COVER_PX) & mask


def _spanning(mask: Mask) -> Mask:
    """The connected parts of `mask` that touch two opposite sides of the image."""
    labels = label(mask, connectivity=1)
    rows = np.intersect1d(labels[0], labels[-1])
    columns = np.intersect1d(labels[:, 0], labels[:, -1])
    wanted = np.union1d(rows, columns)
    return np.isin(labels, wanted[wanted > 0])
