"""Segmentations made ready for drawing: checked, renumbered, resized."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, InvalidSegmentation
from services.common.imaging.images import ImageLimits
from services.common.imaging.labels import Segmentation

_Sample = TypeVar("_Sample", bound=np.generic)


def check_labels(segmentation: Segmentation) -> None:
    """Raise InvalidSegmentation for a label below 0, or planes without pixels."""
    if 0 in segmentation.shape:
        raise InvalidSegmentation(f"expected at least one pixel; got {segmentation.shape} (height, width)")
    for name, plane in (("cells", segmentation.cells), ("nuclei", segmentation.nuclei)):
        if plane is not None and plane.min() < 0:
            raise InvalidSegmentation(f"expected labels of 0 (background) and above; got {plane.min()} in {name}")


def compact(segmentation: Segmentation) -> Segmentation:
    """The same cells, renumbered if a label exceeds the count of pixels: a table by label would outgrow the image."""
    cells = segmentation.cells
    if cells is None or cells.max() <= cells.size:
        return segmentation
    numbers, inverse = np.unique(cells, return_inverse=True)
    first = 0 if numbers[0] == 0 else 1
    return replace(segmentation, cells=(inverse.reshape(cells.shape) + first).astype(np.int32))


def resized(segmentation: Segmentation, size: tuple[int, int] | None) -> Segmentation:
    """The segmentation at another (height, width): each pixel takes the value of the nearest pixel, by its centre.

    None: as it is. Raises InvalidArgument for a size below 1 pixel or above the limit of images.
    """
    if size is None or size == segmentation.shape:
        return segmentation
    height, width = size
    most = ImageLimits().max_pixels
    if height < 1 or width < 1 or height * width > most:
        raise InvalidArgument(
            f"expected a size of at least 1x1 and at most {most} pixels; got {height}x{width}",
            field="height_px",
            got=height * width,
            limit=most,
        )
    rows, columns = (_nearest(old, new) for old, new in zip(segmentation.shape, size, strict=True))
    return Segmentation(
        cells=_pick(segmentation.cells, rows, columns),
        nuclei=_pick(segmentation.nuclei, rows, columns),
        wound=_pick(segmentation.wound, rows, columns),
    )


def _nearest(old: int, new: int) -> NDArray[np.int64]:
    # The centre of new pixel i lies at (i + 1/2) old / new; whole numbers only, so that every machine rounds alike.
    return (2 * np.arange(new, dtype=np.int64) + 1) * old // (2 * new)


def _pick(
    plane: NDArray[_Sample] | None, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[_Sample] | None:
    return None if plane is None else plane[rows][:, columns]
