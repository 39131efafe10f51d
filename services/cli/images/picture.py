"""PNG and JPEG: one picture, grey or in colours."""

from __future__ import annotations

import numpy as np

from services.cli.images.stack import Stack
from services.common.imaging.images import decode_samples


def picture_stack(data: bytes) -> Stack:
    """The picture of a PNG or JPEG file. Raises InvalidImage for a damaged one, ImageTooLarge for one over limits."""
    pixels = decode_samples(data)
    if pixels.ndim == 3:
        pixels = pixels[:, :, [2, 1, 0]]  # BGR(A) -> RGB
    size = (pixels.shape[0], pixels.shape[1])
    return Stack("", {}, size, np.dtype(pixels.dtype), pixels.ndim == 3, ("",), None, lambda _: pixels)
