"""An image as a PNG file, for callers who hold arrays and no image library (W3C PNG specification, third edition)."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from numpy.typing import NDArray

from biosynth.contract import PNG

_GREY, _NO_FILTER = 0, b"\0"


def encode_png(image: NDArray[Any]) -> bytes:
    """A grey PNG of an image, (H, W) uint8 or uint16; the same pixels give the same bytes."""
    height, width = image.shape
    depth = 8 * image.dtype.itemsize
    packer = zlib.compressobj(level=1)
    samples = bytearray()
    for row in image:  # row by row, so that no second image is held
        samples += packer.compress(_NO_FILTER + row.astype(f">u{depth // 8}").tobytes())
    samples += packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, _GREY, 0, 0, 0)
    return PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", bytes(samples)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
