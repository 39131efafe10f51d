"""`BIOSYNTH_TEST_DATA=... python -m tests.bench.segmentation_quality`: the segmenters on held-out fields with truth."""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from services.common.imaging.images import decode_image
from services.common.imaging.labels import Labels
from services.evaluation.average_precision import average_precision
from services.evaluation.sets.bootstrap import mean_interval
from services.segmentation.builtin import builtin_segmenters
from services.segmentation.segmenter import Image

# Pack, its table of fields, the segmenters, the part.
PACKS = (
    ("dsb2018-fluo", "split.csv", ("nuclei", "nuclei-threshold"), "nuclei"),
    ("bbbc039-nuclei", "split.csv", ("nuclei", "nuclei-threshold"), "nuclei"),
    ("usiigaci-phase", "index.csv", ("cells", "cells-texture"), "cells"),
)
# Fields are also given at half and at double their scale; learned segmenters estimate the size of objects.
SCALES = (1.0, 0.5, 2.0)


def main() -> int:
    """Print one row per pack and segmenter."""
    folder = os.environ.get("BIOSYNTH_TEST_DATA")
    if not folder:
        print("set BIOSYNTH_TEST_DATA to the folder that holds the data packs", file=sys.stderr)
        return 2
    names = f"{'pack':<16}{'segmenter':<18}{'fields':>7}{'AP50':>7}{'AP75':>7}"
    scaled = "".join(f"{f'AP at {scale:g}x':>12}" for scale in SCALES[1:])
    print(f"{names}{'mean AP (95 %, over fields)':>29}{'Dice':>7}{'ms a field':>12}{scaled}")
    for pack, index, segmenters, part in PACKS:
        known = list(fields(Path(folder) / pack, index, "val"))
        for segmenter in segmenters:
            rows, *others = (np.array([_measured(segmenter, part, *_at(s, *one)) for one in known]) for s in SCALES)
            ap50, ap75, mean_ap, dice, seconds = rows.mean(axis=0)
            low, high = mean_interval(rows[:, 2])
            figures = f"{len(rows):>7}{ap50:>7.3f}{ap75:>7.3f}{f'{mean_ap:.3f} ({low:.3f} to {high:.3f})':>29}"
            print(
                f"{pack:<16}{segmenter:<18}{figures}{dice:>7.3f}{1000 * seconds:>12.0f}"
                + "".join(f"{other.mean(axis=0)[2]:>12.3f}" for other in others)
            )
    return 0


def fields(folder: Path, index: str, split: str) -> Iterator[tuple[Image, Labels]]:
    """Image and true labels of every field of a split."""
    with (folder / index).open(encoding="utf-8") as file:
        names = [row["id"] for row in csv.DictReader(file) if row["split"] == split]
    for name in names:
        true = cv2.imread(str(folder / "labels" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        if true is None:
            raise FileNotFoundError(f"expected the labels of {name} under {folder / 'labels'}")
        yield decode_image((folder / "images" / f"{name}.png").read_bytes()), true.astype(np.int32)


def _at(scale: float, image: Image, true: Labels) -> tuple[Image, Labels]:
    """A field as a microscope of another magnification would show it."""
    if scale == 1.0:
        return image, true
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    labels = cv2.resize(true.astype(np.float64), size, interpolation=cv2.INTER_NEAREST_EXACT)
    return cv2.resize(image, size, interpolation=method).astype(np.uint8), labels.astype(np.int32)


def _measured(segmenter: str, part: str, image: Image, true: Labels) -> tuple[float, ...]:
    """AP50, AP75, mean AP, Dice of the covered pixels and seconds of one field."""
    start = time.perf_counter()
    found = getattr(builtin_segmenters()[segmenter].segment(image), part)
    seconds = time.perf_counter() - start
    scores = average_precision(true, found)
    covered = int((true > 0).sum() + (found > 0).sum())
    dice = 2 * int(((true > 0) & (found > 0)).sum()) / covered if covered else 1.0
    return float(scores[0]), float(scores[5]), float(scores.mean()), dice, seconds


if __name__ == "__main__":
    sys.exit(main())
