"""Brightness for people's eyes and for models: outliers must not set the range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.images import Image


def stretch(image: Image, outliers_percent: float = 0.2) -> NDArray[np.uint8]:
    """Stretch to 0..255 from the `outliers_percent` percentile to that of 100 minus it; beyond is cut off.

    image: (H, W). Returns (H, W) uint8.
    """
    low, high = np.percentile(image, (outliers_percent, 100.0 - outliers_percent))
    scaled = (image.astype(np.float32) - low) * (255.0 / max(high - low, 1.0))
    stretched: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return stretched
