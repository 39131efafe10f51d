"""Reference rendering beside the original wound-healing pipeline's, which eroded the whole image for every label."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from services.common.imaging.images import autocontrast
from services.common.imaging.labels import Labels, Mask, Segmentation
from services.reference.render import render
from services.reference.schemas import named
from tests.unit.reference import original

TARGET = 500.0


@dataclass(frozen=True)
class Field:
    """A synthetic scratch assay: rows x columns cells, half of the columns on each side of a wound."""

    height_px: int
    width_px: int
    rows: int
    columns: int

    @property
    def cells(self) -> int:
        return self.rows * self.columns


FULL = Field(1536, 2048, rows=50, columns=60)
QUICK = Field(384, 512, rows=12, columns=16)


def bench(quick: bool = False) -> list[dict[str, Any]]:
    """One row for a schema without grey tiers and one for a schema with them."""
    found, image = synthetic(QUICK if quick else FULL)
    timed = 4 if quick else 24
    boundary_s = _boundary_seconds(found, timed)
    mean_s = _mean_seconds(found, image, timed)
    labels = [int(np.unique(plane[plane > 0]).size) for plane in original.planes(found)[:2]]
    shape = f"{image.shape[0]}x{image.shape[1]}, {labels[0]} cells, {labels[1]} nuclei"
    note = (
        f"baseline: median seconds per label, over {timed} cells and {timed} nuclei spread over the label numbers, "
        "times the number of labels; its loops over labels alone, without its painting. "
        "identical: on the full map, to the per-label definition applied within bounding boxes"
    )
    rows = []
    for name, baseline_s in (("levels4", boundary_s), ("levels7", boundary_s + mean_s)):
        ours_s, reference = _ours(found, image, name)
        row = {"name": f"reference rendering, {name}, {shape}", "ours_s": ours_s, "baseline_s": baseline_s}
        identical = np.array_equal(reference, _expected(found, image, name))
        rows.append(
            {
                **row,
                "ratio": baseline_s / ours_s,
                "target": TARGET,
                "identical": identical,
                "note": note,
                "extrapolated": True,
            }
        )
    return rows


def synthetic(field: Field) -> tuple[Segmentation, NDArray[np.uint8]]:
    """Touching round cells around jittered grid points, a nucleus in each, a wound between; and their image."""
    random = np.random.default_rng(0)
    pitch_y, pitch_x = field.height_px / field.rows, field.width_px * 0.85 / field.columns
    row, column = np.divmod(np.arange(field.cells), field.columns)
    gap_px = np.where(column >= field.columns / 2, field.width_px * 0.15, 0)
    jitter = random.uniform(-0.25, 0.25, (2, field.cells))
    y = ((row + 0.5 + jitter[0]) * pitch_y).astype(int)
    x = ((column + 0.5 + jitter[1]) * pitch_x + gap_px).astype(int)
    canvas = np.ones((field.height_px, field.width_px), np.uint8)
    canvas[y, x] = 0
    distance, nearest = cv2.distanceTransformWithLabels(canvas, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    cells = np.where(distance < 0.6 * pitch_y, nearest, 0).astype(np.int32)
    nuclei = np.where(distance < 0.22 * pitch_y, nearest, 0).astype(np.int32)
    wound = (abs(np.arange(field.width_px) - field.width_px / 2) < field.width_px * 0.07) & (cells == 0)
    brightness = np.take(random.uniform(30, 220, field.cells + 1), cells)
    image = np.clip(brightness + random.normal(0, 8, cells.shape), 0, 255).astype(np.uint8)
    return Segmentation(cells, nuclei, wound), image


def _boundary_seconds(found: Segmentation, timed: int) -> float:
    """What the original loop over cells and nuclei takes: labels == i, erosion of the whole image, union."""
    return sum(_loop_seconds(plane, timed, _add_boundary) for plane in original.planes(found)[:2])


def _add_boundary(labels: Labels, label: int, total: Mask) -> None:
    total |= original.boundary_of_one(labels == label)


def _mean_seconds(found: Segmentation, image: NDArray[np.uint8], timed: int) -> float:
    """What a loop over cells for their mean grey takes."""
    cells, nuclei, _ = original.planes(found)

    def add_mean(labels: Labels, label: int, _: Mask) -> None:
        image[(labels == label) & (nuclei == 0)].mean()

    return _loop_seconds(cells, timed, add_mean)


def _loop_seconds(labels: Labels, timed: int, body: Callable[[Labels, int, Mask], None]) -> float:
    numbers = np.unique(labels[labels > 0])
    total = np.zeros(labels.shape, np.bool_)
    seconds = []
    for label in numbers[:: max(1, numbers.size // timed)][:timed]:
        started = time.perf_counter()
        body(labels, int(label), total)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * numbers.size


def _ours(found: Segmentation, image: NDArray[np.uint8], name: str) -> tuple[float, NDArray[np.uint8]]:
    """Median seconds of the whole call, masks, painting and grey rendering included; and the reference."""
    schema = named(name)
    seconds = []
    for _ in range(7):
        started = time.perf_counter()
        reference = render(found, schema, image).reference
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), reference


def _expected(found: Segmentation, image: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    if name == "levels4":
        return original.draw_levels4(found, of=original.boundaries_in_boxes)
    cells, nuclei, _ = original.planes(found)
    grey = autocontrast(image)
    means = {}
    for label, box in enumerate(ndimage.find_objects(cells), 1):
        if box is not None:
            means.update(original.means(np.where(cells[box] == label, cells[box], 0), nuclei[box], grey[box]))
    limits = original.limits7(list(means.values()))
    tiers = np.zeros(int(cells.max()) + 1, np.uint8)
    for label, mean in means.items():
        tiers[label] = original.tier(mean, limits)
    return original.draw_tiered(found, tiers[cells], 3, of=original.boundaries_in_boxes)
