"""A table of many images: what was found in each, as counts and means."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from services.cli.batch import Failed
from services.cli.object_means import MEANS
from services.cli.run_record import doubts

FILE = "summary.csv"
HELP = f"{FILE}: a line for each image with its counts and the means over its objects"
_FOUND = (
    "height_px",
    "width_px",
    "pixel_size_um",
    "segmenter",
    "segmenter_version",
    "choice_confidence",
    "cells",
    "nuclei",
    "at_border",
    "wound_fraction",
)


def summary(done: Sequence[Mapping[str, Any]], failed: Sequence[Failed]) -> bytes:
    """CSV (RFC 4180), in UTF-8. done: `image`, `results` and what segmentation_record tells, and perhaps `stopped`.

    status: `done`, `stopped` (segmented, and nothing generated) or `failed`; why: the reason for that, or warnings.
    Means are empty where an image has no such objects, or no pixel size.
    """
    parts = ("cells", "nuclei")
    head = ["image", "status", "results", *_FOUND, *(f"{part}_{name}_mean" for part in parts for name in MEANS), "why"]
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(head)
    for one in done:
        means = [one["means"].get(part, {}).get(name, "") for part in parts for name in MEANS]
        status = "stopped" if one.get("stopped") else "done"
        found = ["" if one[name] is None else one[name] for name in _FOUND]
        writer.writerow([one["image"], status, one["results"], *found, *means, " ".join(doubts(one))])
    for lost in failed:
        writer.writerow([lost.path, "failed", *[""] * (len(head) - 3), lost.why])
    return file.getvalue().encode()
