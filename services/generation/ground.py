"""The ground between objects, and how uneven it is."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

# Objects' own light reaches about so far (px); a ground is what lies farther from all of them.
REACH_PX = 12
# Fewer pixels of it say nothing.
LEAST_PIXELS = 2000
# The noise of pixels is smoothed away with a Gaussian of this sigma (px), which leaves this share of its variance.
_SMOOTH_PX = 1.5
_NOISE_LEFT = 1 / (4 * math.pi * _SMOOTH_PX**2)
# A piece of debris is not the ground's brightness: the share of full scale beyond which it counts no more.
_FARTHEST = 30 / 255


def ground_of(objects: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Where the ground is: more than REACH_PX from objects along both axes. objects: (H, W), 0 = background."""
    side = 2 * REACH_PX + 1
    ground: NDArray[np.bool_] = cv2.erode((objects == 0).astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    return ground


def unevenness(image: NDArray[np.float32], ground: NDArray[np.bool_], noise_variance: float = 0.0) -> float:
    """Standard deviation of a ground's brightness beyond pixel noise, in the image's unit; 0 where there is no ground.

    image, ground: (H, W), the image on 0 to 1. noise_variance: of its pixels, rounding included.
    """
    if np.count_nonzero(ground) < LEAST_PIXELS:
        return 0.0
    weight = ground.astype(np.float32)
    flat = np.clip(image - np.float32(np.median(image[ground])), -_FARTHEST, _FARTHEST) * weight
    # Smoothed within the ground alone: the weights are smoothed too.
    smooth, share = (cv2.GaussianBlur(plane, (0, 0), _SMOOTH_PX)[ground] for plane in (flat, weight))
    return math.sqrt(max(0.0, float((smooth / share).var()) - _NOISE_LEFT * noise_variance))
