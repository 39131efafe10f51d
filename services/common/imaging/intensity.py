"""Brightness stretched for display and for models, such that outliers do not set the range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.images import Image


def stretch(image: Image, outliers_percent: float = 0.2) -> NDArray[np.uint8]:
    """Map the percentiles `outliers_percent` and 100 - `outliers_percent` to 0 and 255, linearly; clip beyond them.

    image: (H, W). Returns (H, W) uint8.

    >>> stretch(np.array([[10, 20, 30, 40, 60000]], np.uint16), outliers_percent=25)
    array([[  0,   0, 128, 255, 255]], dtype=uint8)
    """
    low, high = np.percentile(image, (outliers_percent, 100.0 - outliers_percent))
    scaled = (image.astype(np.float32) - low) * (255.0 / max(high - low, 1.0))
    stretched: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return stretched
