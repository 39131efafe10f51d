"""What a segmentation network is to say of every pixel, from instance labels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from services.common.imaging.labels import Labels
from services.segmentation.learned.outputs import DISTANCE, DOWN, FOREGROUND, OFFSET_UNIT_PX, PLANES, RIGHT


def targets_of(labels: Labels) -> NDArray[np.float32]:
    """The planes that learned/outputs.py describes, foreground as 0 or 1. labels: (H, W); returns (4, H, W).

    An object's centre is the pixel of it that is nearest to its centroid weighted by squared depth, so it lies inside,
    also where the object is bent. Depth is the distance to the outside, which the image's edge counts as.

    >>> targets_of(np.array([[0, 5, 5, 5, 0]], np.int32))[DISTANCE]
    array([[0., 1., 1., 1., 0.]], dtype=float32)
    """
    planes = np.zeros((PLANES, *labels.shape), np.float32)
    planes[FOREGROUND] = labels > 0
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        inside = labels[window] == number
        depth = cv2.distanceTransform(np.pad(inside, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
        rows, columns = np.nonzero(inside)
        row, column = _centre(rows, columns, depth[inside])
        planes[DISTANCE][window][inside] = depth[inside] / depth.max()
        planes[DOWN][window][inside] = (row - rows) / OFFSET_UNIT_PX
        planes[RIGHT][window][inside] = (column - columns) / OFFSET_UNIT_PX
    return planes


def _centre(rows: NDArray[np.intp], columns: NDArray[np.intp], depth: NDArray[np.float32]) -> tuple[int, int]:
    weights = depth.astype(np.float64) ** 2
    row, column = (float((places * weights).sum() / weights.sum()) for places in (rows, columns))
    nearest = int(np.argmin((rows - row) ** 2 + (columns - column) ** 2))
    return int(rows[nearest]), int(columns[nearest])
