"""A segmentation: what a segmenter found in one image."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from biosynth.contract import PARTS
from numpy.typing import NDArray

from services.common.errors import InvalidSegmentation

Labels: TypeAlias = NDArray[np.int32]
Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Segmentation:
    """Any of cells, nuclei and wound, all of one size; at least one is there.

    cells, nuclei: (H, W) int32 instance labels, 0 = background. wound: (H, W) bool.
    Raises InvalidSegmentation where all are absent, sizes differ or a dtype is wrong.

    >>> found = Segmentation(nuclei=np.array([[0, 1, 1], [2, 0, 0]], np.int32), wound=np.zeros((2, 3), np.bool_))
    >>> found.parts, found.shape
    (('nuclei', 'wound'), (2, 3))
    """

    cells: Labels | None = None
    nuclei: Labels | None = None
    wound: Mask | None = None

    def __post_init__(self) -> None:
        present = {name: array for name in PARTS if (array := getattr(self, name)) is not None}
        if not present:
            raise InvalidSegmentation(f"expected at least one of {', '.join(PARTS)}; got none")
        if len({array.shape for array in present.values()}) > 1 or next(iter(present.values())).ndim != 2:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in present.items())
            raise InvalidSegmentation(f"expected planes of one (height, width); got {shapes}")
        for name, array in present.items():
            expected = np.dtype(np.bool_ if name == "wound" else np.int32)
            if array.dtype != expected:
                raise InvalidSegmentation(f"expected {name} as {expected}, got {array.dtype}")

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts that are there, in the order cells, nuclei, wound."""
        return tuple(name for name in PARTS if getattr(self, name) is not None)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = getattr(self, self.parts[0]).shape
        return int(height), int(width)


def with_absent(segmentation: Segmentation, parts: Collection[str]) -> Segmentation:
    """The segmentation of an image that shows none of `parts`: they are there then, and empty.

    Raises InvalidSegmentation for a part that it has, or that there is not.

    >>> with_absent(Segmentation(cells=np.array([[1, 0]], np.int32)), ["wound"]).wound
    array([[False, False]])
    """
    if wrong := [part for part in parts if part not in PARTS or part in segmentation.parts]:
        raise InvalidSegmentation(
            f"expected absent parts among {', '.join(PARTS)} that the segmentation does not have; got {wrong[0]!r:.40} "
            f"for one with {', '.join(segmentation.parts)}"
        )
    empty: dict[str, Any] = {
        part: np.zeros(segmentation.shape, np.bool_ if part == "wound" else np.int32) for part in parts
    }
    return replace(segmentation, **empty)
