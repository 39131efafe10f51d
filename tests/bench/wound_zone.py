"""The wound zone by distance transforms beside OpenCV's erode and dilate with the full disks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels, Mask
from services.segmentation.wound_zone import DILATION_PX, EROSION_PX, wound_zone

T = TypeVar("T")


def bench(quick: bool = False) -> list[dict[str, Any]]:
    """One row; the baseline runs between two halves of our repeats, so that a slower machine slows both."""
    shape, radii = ((384, 512), (15, 35)) if quick else ((1536, 2048), (EROSION_PX, DILATION_PX))
    cells, nuclei = assay(shape)
    ours: list[float] = []
    for _ in range(3):
        zone = _timed(ours, lambda: wound_zone(cells, nuclei, *radii))
    baseline: list[float] = []
    expected = _timed(baseline, lambda: full_kernels(cells, nuclei, *radii))
    for _ in range(4):
        _timed(ours, lambda: wound_zone(cells, nuclei, *radii))
    ours_s, baseline_s = float(np.median(ours)), baseline[0]
    return [
        {
            "name": f"wound zone, {shape[0]}x{shape[1]}, disks {radii[0]}/{radii[1]}",
            "ours_s": ours_s,
            "baseline_s": baseline_s,
            "ratio": baseline_s / ours_s,
            "target": 30.0,
            "identical": bool(np.array_equal(zone, expected)),
            "note": "baseline: cv2.erode and cv2.dilate with the full disks, once; ours: median of 7",
        }
    ]


def assay(shape: tuple[int, int], seed: int = 0) -> tuple[Labels, Labels]:
    """Cells and nuclei as discs at random, but for a vertical strip without any."""
    generator = np.random.default_rng(seed)
    height, width = shape
    cells, nuclei = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for number in range(1, height * width // 700):
        x, y = int(generator.integers(width)), int(generator.integers(height))
        if abs(x - 0.5 * width) > 0.17 * width:
            cv2.circle(cells, (x, y), int(generator.integers(9, 18)), number, -1)
            cv2.circle(nuclei, (x, y), 6, number, -1)
    return cells, nuclei


def full_kernels(cells: Labels, nuclei: Labels, erosion_px: int, dilation_px: int) -> Mask:
    """The definition, step by step: frame, erode, dilate, take the frame off."""
    frame = erosion_px
    free = np.pad((cells == 0).astype(np.uint8), frame)
    eroded = cv2.erode(free, disk(erosion_px))
    dilated = cv2.dilate(eroded, disk(dilation_px))[frame:-frame, frame:-frame]
    zone: Mask = (dilated > 0) & (cells == 0) & (nuclei == 0)
    return zone


def disk(radius: int) -> NDArray[np.uint8]:
    """All offsets with x^2 + y^2 <= r^2."""
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    inside: NDArray[np.uint8] = (x * x + y * y <= radius * radius).astype(np.uint8)
    return inside


def _timed(times: list[float], call: Callable[[], T]) -> T:
    start = time.perf_counter()
    result = call()
    times.append(time.perf_counter() - start)
    return result
