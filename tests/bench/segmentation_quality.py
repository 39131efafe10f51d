"""`BIOSYNTH_TEST_DATA=... python -m tests.bench.segmentation_quality`: the classical segmenters on fields with truth.

The segmenters were tuned on the training fields; the figures to report are those of `val`.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.images import decode_image
from services.common.imaging.labels import Labels
from services.evaluation.average_precision import average_precision
from services.segmentation.segmenters import builtin_segmenters

# Pack, its table of fields, the segmenter, the part.
PACKS = (("dsb2018-fluo", "split.csv", "nuclei"), ("usiigaci-phase", "index.csv", "cells"))


def main() -> int:
    """Print one row per pack and split."""
    folder = os.environ.get("BIOSYNTH_TEST_DATA")
    if not folder:
        print("set BIOSYNTH_TEST_DATA to the folder that holds the data packs", file=sys.stderr)
        return 2
    print(f"{'pack':<16}{'split':<7}{'fields':>7}{'AP50':>8}{'AP75':>8}{'mean AP':>9}{'Dice':>7}{'ms a field':>12}")
    for pack, index, part in PACKS:
        for split in ("train", "val"):
            rows = np.array([_measured(part, *field) for field in fields(Path(folder) / pack, index, split)])
            ap50, ap75, mean_ap, dice, seconds = rows.mean(axis=0)
            figures = f"{len(rows):>7}{ap50:>8.3f}{ap75:>8.3f}{mean_ap:>9.3f}{dice:>7.3f}{1000 * seconds:>12.0f}"
            print(f"{pack:<16}{split:<7}{figures}")
    return 0


def fields(folder: Path, index: str, split: str) -> Iterator[tuple[NDArray[np.uint8] | NDArray[np.uint16], Labels]]:
    """Image and true labels of every field of a split."""
    with (folder / index).open(encoding="utf-8") as file:
        names = [row["id"] for row in csv.DictReader(file) if row["split"] == split]
    for name in names:
        true = cv2.imread(str(folder / "labels" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        if true is None:
            raise FileNotFoundError(f"expected the labels of {name} under {folder / 'labels'}")
        yield decode_image((folder / "images" / f"{name}.png").read_bytes()), true.astype(np.int32)


def _measured(part: str, image: NDArray[np.uint8] | NDArray[np.uint16], true: Labels) -> tuple[float, ...]:
    """AP50, AP75, mean AP, Dice of the covered pixels and seconds of one field."""
    start = time.perf_counter()
    found = getattr(builtin_segmenters()[part].find(image), part)
    seconds = time.perf_counter() - start
    scores = average_precision(true, found)
    covered = int((true > 0).sum() + (found > 0).sum())
    dice = 2 * int(((true > 0) & (found > 0)).sum()) / covered if covered else 1.0
    return float(scores[0]), float(scores[5]), float(scores.mean()), dice, seconds


if __name__ == "__main__":
    sys.exit(main())
