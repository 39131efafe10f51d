"""Synthetic images for tests: what the real ones have in common, none of their pixels."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray


def nuclei_picture(height: int = 192, width: int = 256, count: int = 20, seed: int = 0) -> NDArray[np.uint8]:
    """Bright blurred discs on a dark noisy ground, (height, width) uint8."""
    generator = np.random.default_rng(seed)
    image = np.zeros((height, width), np.float32)
    for _ in range(count):
        centre = (int(generator.integers(12, width - 12)), int(generator.integers(12, height - 12)))
        cv2.circle(image, centre, int(generator.integers(6, 11)), float(generator.uniform(90, 200)), -1)
    seen = cv2.GaussianBlur(image, (0, 0), 1.2) + 12 + generator.normal(0, 2, image.shape)
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def scratch_picture(height: int = 400, width: int = 500, seed: int = 0) -> NDArray[np.uint8]:
    """A sheet of bright-rimmed dark cells with a smooth vertical gap, mid grey, (height, width) uint8."""
    generator = np.random.default_rng(seed)
    image = np.full((height, width), 128, np.float32)
    for top in range(0, height, 16):
        for left in range(0, width, 16):
            if 0.38 * width < left < 0.62 * width:
                continue
            centre = (left + int(generator.integers(4, 12)), top + int(generator.integers(4, 12)))
            axes = (int(generator.integers(5, 9)), int(generator.integers(4, 7)))
            angle = float(generator.uniform(0, 180))
            cv2.ellipse(image, centre, axes, angle, 0, 360, 80.0, -1)
            cv2.ellipse(image, centre, axes, angle, 0, 360, 215.0, 2)
    seen = cv2.GaussianBlur(image, (0, 0), 1.0) + generator.normal(0, 1.5, image.shape)
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def announced(side: int) -> bytes:
    """A grey PNG that says in its header how large it is, and ends after a row."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header, row = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0), zlib.compress(bytes(side + 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row) + chunk(b"IEND", b"")
