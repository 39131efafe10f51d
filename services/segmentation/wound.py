"""The wound of a scratch assay by texture: the smooth zone that runs from one side of the image to the other."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from services.common.abandonment import stop_if_abandoned
from services.common.imaging.labels import Mask
from services.segmentation.regions import fill_holes, without_small
from services.segmentation.texture import binned, flattened, log_local_deviation, smoothed, upper_class

WORKING_PX = 1000  # the longer side while working; the lengths below are in pixels of that size
BACKGROUND_SIGMA_PX = 12
TEXTURE_RADIUS_PX = 3
DENSITY_SIGMA_PX = 14
SMALLEST_FRACTION = 0.01
LEAST_SEPARATION = 0.45  # decades of grey levels between bare ground and cells


def find_wound(image: NDArray[np.uint8] | NDArray[np.uint16]) -> Mask:
    """The cell-free zone that spans the image, filled; all False where there is none.

    image: (H, W) phase contrast or bright field. Returns (H, W) bool. docs/method.md, Wound zone, has the steps.
    Texture (the log of the local standard deviation) is split by Otsu's threshold; where fewer than half of the
    pixels around are textured, ground is bare. A confluent image splits too, but into classes less than
    LEAST_SEPARATION apart: that is "no wound".
    """
    flat = flattened(binned(image, WORKING_PX), BACKGROUND_SIGMA_PX)
    stop_if_abandoned()
    covered = upper_class(log_local_deviation(flat, TEXTURE_RADIUS_PX), LEAST_SEPARATION)
    if covered is None:
        return np.zeros(image.shape, bool)
    bare = smoothed(covered.astype(np.float32), DENSITY_SIGMA_PX) < 0.5
    smallest = SMALLEST_FRACTION * bare.size
    bare = ~without_small(~without_small(bare, smallest), smallest)
    zone = fill_holes(_spanning(bare)).astype(np.uint8)
    height, width = image.shape
    return cv2.resize(zone, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)


def _spanning(mask: Mask) -> Mask:
    """The connected parts of `mask` that touch two opposite sides of the image."""
    labels = label(mask, connectivity=1)
    rows = np.intersect1d(labels[0], labels[-1])
    columns = np.intersect1d(labels[:, 0], labels[:, -1])
    wanted = np.union1d(rows, columns)
    return np.isin(labels, wanted[wanted > 0])
