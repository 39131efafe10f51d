"""What an image is to show: its objects, and the wound where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from biosynth.contract import PARTS, TIFF
from numpy.typing import NDArray

from services.common.errors import InvalidSegmentation
from services.common.imaging.formats.limits import ImageLimits
from services.common.imaging.formats.tiff import TiffPlanes
from services.common.imaging.images import decode_label_map
from services.common.imaging.labels import Labels, Mask, Segmentation
from services.common.imaging.ometiff import decode_segmentation

SUFFIXES = (".png", ".tif", ".tiff")


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

    def segmentation(self, part: str) -> Segmentation:
        """The same with its objects as `cells` or `nuclei`."""
        named: dict[str, Any] = {part: self.labels}
        return Segmentation(**named, wound=self.wound)


def read_truth(data: bytes, part: str) -> Truth:
    """The truth in a label map, or in a segmentation of `biosynth segment` or `biosynth combine`.

    part: `cells` or `nuclei`, what of a segmentation is taken. Raises InvalidImage or InvalidSegmentation.
    """
    if not _is_segmentation(data):
        return Truth(decode_label_map(data))
    found = decode_segmentation(data)
    labels: Labels | None = getattr(found, part)
    if labels is None:
        raise InvalidSegmentation(f"expected {part}, which the model draws; the file has {', '.join(found.parts)}")
    return Truth(labels, found.wound)


def _is_segmentation(data: bytes) -> bool:
    """Whether planes are named as ours are; other programs' OME-TIFFs of one plane are label maps."""
    if not data.startswith(TIFF):
        return False
    limits = ImageLimits()
    limits.check_file(data)
    return {plane.name for plane in TiffPlanes(data, limits).planes} <= set(PARTS)


def is_mask(name: str) -> bool:
    """Whether a file of this name can be a mask: no hidden file, and no picture that `segment` writes beside its own.

    >>> [is_mask(name) for name in ("a/b.TIF", "b.objects.png", ".b.png", "b.csv")]
    [True, False, False, False]
    """
    last = name.rpartition("/")[2].lower()
    return last.endswith(SUFFIXES) and not last.endswith(".objects.png") and not last.startswith(".")
