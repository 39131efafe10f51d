"""Synthetic label maps for tests."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def discs(height: int = 96, width: int = 128, count: int = 8, seed: int = 0) -> NDArray[np.int32]:
    """Discs with labels from 1, later over earlier, some of which touch or are cut by the edge; (height, width)."""
    generator = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.int32)
    for label in range(1, count + 1):
        centre = (int(generator.integers(width)), int(generator.integers(height)))
        cv2.circle(labels, centre, int(generator.integers(5, 10)), label, -1)
    return labels


def touching(labels: NDArray[np.int32]) -> set[tuple[int, int]]:
    """Pairs of labels with pixels side by side or corner to corner, smaller first; (H, W). An edge counts as -1."""
    padded = np.pad(labels, 1, constant_values=-1)
    pairs = set()
    height, width = labels.shape
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1), (0, -1), (-1, 0), (-1, 1), (-1, -1)):
        other = padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]
        different = (labels > 0) & (other != 0) & (other != labels)
        pairs |= {
            (min(a, b), max(a, b)) for a, b in zip(labels[different].tolist(), other[different].tolist(), strict=True)
        }
    return pairs
