"""Brightness stretched for display and for models, such that outliers do not set the range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.images import Image


def brightness_range(image: Image, outliers_percent: float = 0.2) -> tuple[float, float]:
    """The percentiles `outliers_percent` and 100 - `outliers_percent` of an image, (H, W)."""
    low, high = np.percentile(image, (outliers_percent, 100.0 - outliers_percent))
    return float(low), float(high)


def stretch(image: Image, limits: tuple[float, float]) -> NDArray[np.uint8]:
    """Map the two limits to 0 and 255, linearly; clip beyond them. image: (H, W). Returns (H, W) uint8.

    >>> stretch(np.array([[10, 20, 30, 40, 60000]], np.uint16), (20, 40))
    array([[  0,   0, 128, 255, 255]], dtype=uint8)
    """
    low, high = limits
    scaled = (image.astype(np.float32) - low) * (255.0 / max(high - low, 1.0))
    stretched: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return stretched


def to_eight_bit(image: Image) -> NDArray[np.uint8]:
    """Keep 8 bit; stretch 16 bit from the 0.1 to the 99.9 percentile. (H, W) to (H, W).

    >>> to_eight_bit(np.array([[0, 500, 1000]], np.uint16))
    array([[  0, 128, 255]], dtype=uint8)
    """
    if image.dtype == np.uint8:
        return image.astype(np.uint8, copy=False)
    return stretch(image, brightness_range(image, 0.1))
