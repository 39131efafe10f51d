"""The pixels of each object of a label map."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels


def pixels_by_object(labels: Labels) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Each label but 0, rising, with the indices of its pixels, rising, counted column by column from the top left.

    labels: (H, W). One sort for all objects, rather than a search of the image for each.

    >>> [(label, pixels.tolist()) for label, pixels in pixels_by_object(np.array([[0, 5, 5], [2, 0, 5]], np.int32))]
    [(2, [1]), (5, [2, 4, 5])]
    """
    flat = labels.T.ravel()
    order = np.argsort(flat, kind="stable")
    values, starts = np.unique(flat[order], return_index=True)
    for value, pixels in zip(values, np.split(order, starts[1:]), strict=True):
        if value:
            yield int(value), pixels
