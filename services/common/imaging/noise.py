"""The noise of a camera, estimated on one image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Fewer pixels than this share say nothing of their own: all are taken.
_LEAST = 0.01


def noise_deviation(image: NDArray[np.float32], outside: NDArray[np.bool_]) -> float:
    """Standard deviation of pixel noise, from the background: median form of Immerkaer's estimator (CVIU 64, 1996).

    image: (H, W). outside: (H, W), True on the background. In the unit of the image; docs/method.md, Appearance.

    >>> noisy = np.random.default_rng(0).normal(0.5, 0.02, (64, 64)).astype(np.float32)
    >>> round(noise_deviation(noisy, np.ones((64, 64), bool)), 2)
    0.02
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    residue = np.abs(cv2.filter2D(image, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT))
    far = cv2.erode(outside.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    chosen = residue[far] if far.mean() > _LEAST else residue
    return float(np.median(chosen)) / 0.6745 / 6.0  # the kernel's norm is 6
