"""Images made in the tests: discs in fluorescence, and a scratch assay of rounded cells beside bare ground."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels

Image = NDArray[np.uint8] | NDArray[np.uint16]


def discs(centres: list[tuple[int, int]], radius: int, shape: tuple[int, int] = (128, 128)) -> Labels:
    """Discs at (x, y), numbered from 1."""
    labels = np.zeros(shape, np.int32)
    for number, centre in enumerate(centres, 1):
        cv2.circle(labels, centre, radius, number, -1)
    return labels


def fluorescence(labels: Labels, brightness: list[float], noise: float = 2.0, seed: int = 0) -> NDArray[np.uint8]:
    """The labels lit on a ground of 15, blurred, with camera noise."""
    light = np.array([15.0, *(15.0 + value for value in brightness)], np.float32)[labels]
    blurred = cv2.GaussianBlur(light, (0, 0), 1.0)
    noisy = blurred + np.random.default_rng(seed).normal(0, noise, labels.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def scratch(wound: slice | None, polarity: int = 1, seed: int = 0) -> tuple[NDArray[np.uint8], Labels]:
    """A field of 400 x 400 with cells everywhere but in the columns `wound`; polarity -1: dark cells in bright halos.

    Returns the image and the true cells.
    """
    rng = np.random.default_rng(seed)
    light, cells = np.full((400, 400), 120.0, np.float32), np.zeros((400, 400), np.int32)
    number = 0
    for y in range(5, 420, 26):
        for x in range(5, 420, 26):
            centre = (x + int(rng.integers(-2, 3)), y + int(rng.integers(-2, 3)))
            if wound is not None and wound.start <= x < wound.stop:
                continue
            number += 1
            cv2.circle(cells, centre, 9, number, -1)
            cv2.circle(light, centre, 12, 120.0 - 40 * polarity, -1)
            cv2.circle(light, centre, 8, 120.0 + 60 * polarity, -1)
    # Cells are domes: a flat disc would have no texture in its middle.
    noisy = cv2.GaussianBlur(light, (0, 0), 2.0) + rng.normal(0, 1.5, light.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8), cells


def sheet(shape: tuple[int, int] = (400, 400), seed: int = 0) -> NDArray[np.uint8]:
    """The grain of a confluent sheet, without any bare ground."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 180, shape).astype(np.float32), (0, 0), 3.0)
    return np.clip(np.rint(120 + grain + rng.normal(0, 1.5, shape)), 0, 255).astype(np.uint8)


def spread(seed: int = 0) -> tuple[NDArray[np.uint8], Labels]:
    """A field of 360 x 360 with 25 long cells, grey and grainy in bright halos, and the true cells."""
    rng = np.random.default_rng(seed)
    cells = np.zeros((360, 360), np.int32)
    for number in range(25):
        centre = (40 + 70 * (number % 5), 40 + 70 * (number // 5))
        cv2.ellipse(cells, centre, (24, 10), float(rng.uniform(0, 180)), 0, 360, number + 1, -1)
    around = cv2.dilate((cells > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    grain = cv2.GaussianBlur(rng.normal(0, 25, cells.shape).astype(np.float32), (0, 0), 1.0)
    light = np.where(cells > 0, 100 + 2 * grain, np.where(around, 190, 120)).astype(np.float32)
    noisy = cv2.GaussianBlur(light, (0, 0), 0.8) + rng.normal(0, 1.5, light.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8), cells


def overlaps(true: Labels, found: Labels) -> list[float]:
    """For each true object the best intersection over union with a found one."""
    best = []
    for number in range(1, int(true.max()) + 1):
        mine = true == number
        others = [int(other) for other in np.unique(found[mine]) if other]
        best.append(
            max((float((mine & (found == o)).sum() / (mine | (found == o)).sum()) for o in others), default=0.0)
        )
    return best
