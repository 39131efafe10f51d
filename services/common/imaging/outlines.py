"""Outlines of labels, for pictures."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels

_EXACT = 2**24  # float32 tells whole numbers up to this apart


def outlines(labels: Labels, thickness_px: int = 1) -> Labels:
    """Each label along its border, `thickness_px` wide and inside it; 0 elsewhere. labels: (H, W), as is the result.

    >>> outlines(np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0]], np.int32))
    array([[0, 0, 0, 1, 0],
           [0, 0, 0, 1, 0],
           [0, 0, 0, 1, 0]], dtype=int32)
    """
    kernel = np.ones((3, 3), np.uint8)
    # OpenCV takes no int32. Larger numbers come with masks from elsewhere: float64 has them all, in twice the memory.
    values: NDArray[np.floating[Any]] = labels.astype(np.float32 if labels.max(initial=0) <= _EXACT else np.float64)
    border = cv2.dilate(values, kernel, iterations=thickness_px) != cv2.erode(values, kernel, iterations=thickness_px)
    return np.where(border & (labels > 0), labels, 0).astype(np.int32)
