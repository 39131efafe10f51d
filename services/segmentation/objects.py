"""The cells and nuclei of a segmentation, one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from biosynth.objects import COLUMNS
from numpy.typing import NDArray

from services.common.imaging.labels import Labels
from services.segmentation.segmenter import Found

INSTANCES = ("cells", "nuclei")


@dataclass(frozen=True)
class Objects:
    """The objects of one part, that with label 1 first.

    area_px: (n,) int64. touches_border: (n,) bool. confidence: (n,) float32, 0 to 1, NaN where none is told of
    one; None where none is told at all.
    """

    part: str
    area_px: NDArray[np.int64]
    touches_border: NDArray[np.bool_]
    confidence: NDArray[np.float32] | None


def objects_of(found: Found) -> list[Objects]:
    """The objects of every part that has any kind of instances; labels run from 1 without gaps."""
    parts = {part: labels for part in INSTANCES if (labels := getattr(found.segmentation, part)) is not None}
    return [
        Objects(part, np.bincount(labels.ravel())[1:], _touches_border(labels), found.confidence.get(part))
        for part, labels in parts.items()
    ]


def table_of(parts: list[Objects]) -> bytes:
    """All objects as CSV (RFC 4180), in UTF-8.

    >>> cells = Objects("cells", np.array([12, 30]), np.array([True, False]), np.array([0.5, 0.9375], np.float32))
    >>> print(table_of([cells]).decode().replace(chr(13), ""), end="")
    part,label,area_px,touches_border,confidence
    cells,1,12,1,0.500
    cells,2,30,0,0.938
    """
    lines = [",".join(COLUMNS)]
    for objects in parts:
        told = [""] * len(objects.area_px) if objects.confidence is None else [_told(x) for x in objects.confidence]
        rows = zip(objects.area_px, objects.touches_border, told, strict=True)
        lines += [f"{objects.part},{n},{area},{border:d},{sure}" for n, (area, border, sure) in enumerate(rows, 1)]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _told(confidence: float) -> str:
    return "" if np.isnan(confidence) else f"{confidence:.3f}"


def _touches_border(labels: Labels) -> NDArray[np.bool_]:
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.isin(np.arange(1, int(labels.max(initial=0)) + 1), border)
