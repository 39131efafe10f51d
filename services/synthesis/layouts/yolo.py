"""The layout `yolo`: images/SPLIT/NAME.png, labels/SPLIT/NAME.txt with a polygon an object, and data.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels
from services.synthesis.layouts.coco import CATEGORIES
from services.synthesis.layouts.layout import TRAIN, Whole, Written
from services.synthesis.layouts.paired import Paired
from services.synthesis.objects import pixels_by_object
from services.synthesis.sample import Sample

_FILES = Paired("images/{split}{name}.png", "masks/{name}.tif", held_out="val", only=TRAIN)


@dataclass(frozen=True)
class Yolo:
    """The files of each sample, and one that tells of the splits."""

    batch: int = 1
    held_out: str = "val"
    only: str = TRAIN

    def write(self, name: str, samples: Sequence[Sample]) -> Written:
        """See Layout."""
        made = _FILES.write(name, samples)
        texts = {f"labels/{sample.split}/{sample.name}.txt": polygons(sample.labels).encode() for sample in samples}
        return Written({**made.files, **texts}, made.places)

    def finish(self, whole: Whole) -> Mapping[str, bytes]:
        """See Layout. The tool wants a split `val`: without one it is given that of training."""
        splits = dict.fromkeys(str(line["split"]) for line in whole.lines)
        named = {"train": TRAIN, "val": "val" if "val" in splits else TRAIN, **{split: split for split in splits}}
        lines = [f"{name}: images/{split}" for name, split in named.items()]
        return {"data.yaml": "\n".join([*lines, "names:", f"  0: {CATEGORIES[whole.part]}", ""]).encode()}


def polygons(labels: Labels) -> str:
    """A line an object: its class, 0, then x and y of each corner of its outline, as shares of the image's sides.

    labels: (H, W). A polygon of pixel centres, moved by half a pixel; of an object in several pieces, the largest.

    >>> polygons(np.array([[0, 3, 3, 0], [0, 3, 3, 0]]))
    '0 0.375000 0.250000 0.375000 0.750000 0.625000 0.750000 0.625000 0.250000\\n'
    """
    height, width = labels.shape
    lines = []
    for _, pixels in pixels_by_object(labels):
        columns, rows = np.divmod(pixels, height)
        corners = _outline(rows, columns) / (width, height)
        lines.append(" ".join(["0", *(f"{number:.6f}" for number in corners.ravel())]))
    return "".join(f"{line}\n" for line in lines)


def _outline(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Corners, (n, 2) of x and y, n at least 3."""
    top, left = int(rows.min()), int(columns.min())
    window = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), np.uint8)
    window[rows - top, columns - left] = 1
    outlines, _ = cv2.findContours(window, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(outlines, key=lambda outline: (cv2.contourArea(outline), len(outline)))
    if cv2.contourArea(largest) > 0:
        return np.asarray(largest[:, 0] + (left + 0.5, top + 0.5), np.float64)
    # A line of pixel centres has no area: then the box around the pixels, a little smaller.
    ends = [(left + 0.1, left + window.shape[1] - 0.1), (top + 0.1, top + window.shape[0] - 0.1)]
    return np.array([(ends[0][x], ends[1][y]) for x, y in ((0, 0), (0, 1), (1, 1), (1, 0))])
