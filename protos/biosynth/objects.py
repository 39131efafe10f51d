"""The cells and nuclei of a segmentation, one by one: the table that comes with it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COLUMNS = ("part", "label", "area_px", "touches_border", "confidence")


@dataclass(frozen=True)
class ObjectTable:
    """A row for each cell and nucleus; all columns (n,).

    part: `cells` or `nuclei`, as str. label: int64, its value in that part's label map. area_px: int64. touches_border:
    bool, it goes on beyond the image. confidence: float32, 0 to 1; NaN where the segmenter tells none.
    """

    part: NDArray[np.str_]
    label: NDArray[np.int64]
    area_px: NDArray[np.int64]
    touches_border: NDArray[np.bool_]
    confidence: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.label)

    def of_part(self, part: str) -> ObjectTable:
        """The rows of `cells` or `nuclei` alone; that of label n has index n - 1."""
        mine = self.part == part
        columns = (self.part, self.label, self.area_px, self.touches_border, self.confidence)
        return ObjectTable(*(column[mine] for column in columns))

    @classmethod
    def of(cls, table: bytes) -> ObjectTable:
        """Read the CSV of a SegmentResponse. Raises ValueError for anything else.

        >>> table = ObjectTable.of(b"part,label,area_px,touches_border,confidence\\r\\ncells,1,12,1,0.5\\r\\n")
        >>> table.area_px, table.touches_border, table.confidence
        (array([12]), array([ True]), array([0.5], dtype=float32))
        """
        head, *rows = list(csv.reader(io.StringIO(table.decode()))) or [[]]
        if tuple(head[: len(COLUMNS)]) != COLUMNS:
            raise ValueError(f"expected a table of {', '.join(COLUMNS)}; got {', '.join(head)[:200]}")
        part, label, area, border, sure = ([row[column] for row in rows] for column in range(len(COLUMNS)))
        return cls(
            part=np.array(part, np.str_),
            label=np.array(label, np.int64),
            area_px=np.array(area, np.int64),
            touches_border=np.array(border, np.int64) > 0,
            confidence=np.array([value or "nan" for value in sure], np.float32),
        )
