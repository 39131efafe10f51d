"""What an image is to show: its objects, and the wound where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidSegmentation
from services.common.imaging.labels import Labels, Mask, Segmentation
from services.common.imaging.masks.reading import read_masks

SUFFIXES = (".png", ".tif", ".tiff", ".npy")


@dataclass(frozen=True)
class Truth:
    """labels: (H, W) int32, one number an object, 0 = background. wound: (H, W) bool; None: nothing is said of it."""

    labels: Labels
    wound: Mask | None = None

    def moved(self, move: Callable[[NDArray[Any]], NDArray[Any]]) -> Truth:
        """The same after a move that is made with each plane alike."""
        wound = None if self.wound is None else np.ascontiguousarray(move(self.wound))
        return Truth(np.ascontiguousarray(move(self.labels)), wound)

    @property
    def objects(self) -> int:
        """How many objects there are."""
        return len(np.unique(self.labels[self.labels > 0]))

    @property
    def slivers(self) -> int:
        """How many objects are one pixel wide wherever they are: no square of 2 x 2 px lies in them."""
        here = self.labels
        square = (
            (here[:-1, :-1] == here[1:, :-1]) & (here[:-1, :-1] == here[:-1, 1:]) & (here[:-1, :-1] == here[1:, 1:])
        )
        wide = here[:-1, :-1][square]
        return self.objects - len(np.unique(wide[wide > 0]))

    def segmentation(self, part: str) -> Segmentation:
        """The same with its objects as `cells` or `nuclei`."""
        named: dict[str, Any] = {part: self.labels}
        return Segmentation(**named, wound=self.wound)


def read_truth(data: bytes, part: str, frame: int | None = None) -> tuple[Truth, tuple[str, ...]]:
    """The truth in masks of any program, and what is to be known of how they were read (docs/masks.md).

    part: `cells` or `nuclei`, what of a segmentation is taken. frame: of a stack, from 0. Raises InvalidImage or
    InvalidSegmentation.
    """
    masks = read_masks(data, part, frame=frame)
    labels: Labels | None = getattr(masks.segmentation, part)
    if labels is None:
        raise InvalidSegmentation(
            f"expected {part}, which the model draws; the file has {', '.join(masks.segmentation.parts)}"
        )
    return Truth(labels, masks.segmentation.wound), masks.notes


def is_mask(name: str) -> bool:
    """Whether a file of this name can be a mask: no hidden file, and no picture that `segment` writes beside its own.

    >>> [is_mask(name) for name in ("a/b.TIF", "b.objects.png", ".b.png", "b.csv")]
    [True, False, False, False]
    """
    last = name.rpartition("/")[2].lower()
    return last.endswith(SUFFIXES) and not last.endswith(".objects.png") and not last.startswith(".")
