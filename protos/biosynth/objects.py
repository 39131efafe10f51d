"""The cells and nuclei of a segmentation, one by one: the table that comes with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

COLUMNS = ("part", "label", "area_px", "touches_border", "confidence")


@dataclass(frozen=True)
class ObjectTable:
    """A row for each cell and nucleus; all columns (n,).

    part: `cells` or `nuclei`, as str. label: int64, its value in that part's label map. area_px: int64. touches_border:
    bool, it goes on beyond the image. confidence: float32, 0 to 1; NaN where the segmenter tells none.
    measures: float64 by name, what was measured of each: SegmentResponse.objects in segmentation.proto has the names.
    """

    part: NDArray[np.str_]
    label: NDArray[np.int64]
    area_px: NDArray[np.int64]
    touches_border: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    measures: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.label)

    def of_part(self, part: str) -> ObjectTable:
        """The rows of `cells` or `nuclei` alone; that of label n has index n - 1."""
        mine = self.part == part
        return ObjectTable(
            part=self.part[mine],
            label=self.label[mine],
            area_px=self.area_px[mine],
            touches_border=self.touches_border[mine],
            confidence=self.confidence[mine],
            measures={name: values[mine] for name, values in self.measures.items()},
        )

    @classmethod
    def of(cls, table: bytes) -> ObjectTable:
        """Read the CSV of a SegmentResponse. Raises ValueError for anything else.

        >>> text = b"part,label,area_px,touches_border,confidence,solidity\\r\\ncells,1,12,1,0.5,0.75\\r\\n"
        >>> table = ObjectTable.of(text)
        >>> table.area_px, table.touches_border, table.confidence, table.measures
        (array([12]), array([ True]), array([0.5], dtype=float32), {'solidity': array([0.75])})
        """
        head, *rows = list(csv.reader(io.StringIO(table.decode()))) or [[]]
        if tuple(head[: len(COLUMNS)]) != COLUMNS:
            raise ValueError(f"expected a table of {', '.join(COLUMNS)}; got {', '.join(head)[:200]}")
        if wrong := next((row for row in rows if len(row) != len(head)), None):
            raise ValueError(f"expected {len(head)} values in every row; got {', '.join(wrong)[:200]}")
        columns = list(zip(*rows, strict=True)) or [()] * len(head)
        part, label, area, border, sure, *measures = columns
        return cls(
            part=np.array(part, np.str_),
            label=np.array(label, np.int64),
            area_px=np.array(area, np.int64),
            touches_border=np.array(border, np.int64) > 0,
            confidence=np.array([value or "nan" for value in sure], np.float32),
            measures={
                name: np.array([value or "nan" for value in values], np.float64)
                for name, values in zip(head[len(COLUMNS) :], measures, strict=True)
            },
        )
