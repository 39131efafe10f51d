"""How bright an image is for a network: the same in training and in use."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of an image: what lies beyond is glare, or a dead pixel.
PERCENTILES = (1.0, 99.8)


def normalised(image: NDArray[Any]) -> NDArray[np.float32]:
    """`image` (H, W) of any dtype with its 1st percentile at 0 and its 99.8th at 1; (H, W) float32.

    An image whose percentiles are less than one grey level apart becomes about 0, not noise blown up.

    >>> normalised(np.array([[0, 100], [50, 25]], np.uint8)).round(2)
    array([[-0.01,  1.  ],
           [ 0.5 ,  0.25]], dtype=float32)
    """
    plane = image.astype(np.float32)
    low, high = np.percentile(plane, PERCENTILES)
    least = 1.0 if image.dtype.kind == "u" else 1 / 255
    return np.asarray((plane - low) / max(float(high - low), least), np.float32)
