"""Pixels of a mask file to labels: which numbers are labels, and what a mask without numbers stands for."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidImage
from services.common.imaging.labels import Labels

_MOST_LABEL = int(np.iinfo(np.int32).max)
# What programs write for True: 1 bit, 8 bit, 16 bit.
_TRUE = (1, 255, 65535)


def label_numbers(pixels: NDArray[Any]) -> Labels:
    """Labels of pixels of any number type, (H, W) int32; True is 1.

    pixels: (H, W). Raises InvalidImage for fractions, NaN and infinities, labels below 0 or above 2**31 - 1.

    >>> label_numbers(np.array([[0.0, 7.0]], np.float32))
    array([[0, 7]], dtype=int32)
    >>> label_numbers(np.array([[0.0, 0.25]], np.float32))
    Traceback (most recent call last):
    services.common.errors.InvalidImage: expected a label map of whole numbers; got 0.25 in row 0, column 1, as \
probabilities and images have it; save the labels themselves, or a mask of 0 and 1
    """
    if pixels.dtype.kind == "f":
        _check_whole(pixels)
    least, most = pixels.min(), pixels.max()
    if least < 0 or most > _MOST_LABEL:
        wrong = int(least if least < 0 else most)
        raise InvalidImage(
            f"expected labels from 0 (background) to {_MOST_LABEL}; got {wrong}; number the objects anew from 1, and "
            "set what is no object to 0"
        )
    return pixels.astype(np.int32)


def _check_whole(pixels: NDArray[Any]) -> None:
    if odd := int(np.count_nonzero(~np.isfinite(pixels))):
        raise InvalidImage(
            f"expected a label map of whole numbers; got {odd} pixels that are no numbers (NaN) or infinite; set what "
            "is no object to 0"
        )
    fractions = pixels != np.rint(pixels)
    if fractions.any():
        row, column = (int(index) for index in np.argwhere(fractions)[0])
        raise InvalidImage(
            f"expected a label map of whole numbers; got {pixels[row, column]:g} in row {row}, column {column}, as "
            "probabilities and images have it; save the labels themselves, or a mask of 0 and 1"
        )


def separated(labels: Labels) -> tuple[Labels, str]:
    """The objects of a mask without numbers, and a note that says so; labels that are numbered stay, with "".

    labels: (H, W). A mask has one value above 0, in several pieces; where that is what programs write for True (1, 255,
    65535), each piece, joined by sides or corners, becomes an object. Another value stays one object, and is noted.

    >>> separated(np.array([[255, 0, 255]], np.int32))[0]
    array([[1, 0, 2]], dtype=int32)
    >>> separated(np.array([[7, 0, 7]], np.int32))[1]
    'one label in several pieces, which is one object; give each object a number of its own'
    """
    inside = labels > 0
    value = int(labels.max())
    if not inside.any() or bool((labels[inside] != value).any()):
        return labels, ""
    count, pieces = cv2.connectedComponents(inside.view(np.uint8), connectivity=8)
    if count <= 2:
        return labels, ""
    if value not in _TRUE:
        return labels, "one label in several pieces, which is one object; give each object a number of its own"
    return pieces.astype(np.int32), (
        "a mask without numbers: each connected piece was taken as an object, so objects that touch are one; number "
        "them where they do"
    )
