"""Perimeters of objects, estimated from the neighbours of their border pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels

# Of a border pixel, by 1 + 2 a + 10 b for a border pixels of its object beside it and b at its corners: Benkrid and
# Crookes, Design and FPGA Implementation of a Perimeter Estimator (2000), as scikit-image has it.
_LENGTHS = np.zeros(50)
_LENGTHS[[5, 7, 15, 17, 25, 27]] = 1
_LENGTHS[[21, 33]] = np.sqrt(2)
_LENGTHS[[13, 23]] = (1 + np.sqrt(2)) / 2
_BESIDE = ((-1, 0), (1, 0), (0, -1), (0, 1))
_CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def perimeters(labels: Labels, count: int) -> NDArray[np.float64]:
    """The perimeter of each object in pixels, (count,), that of holes included; labels: (H, W), 1 to `count`.

    >>> perimeters(np.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 2]], np.int32), 2)
    array([8., 0.])
    """
    border = np.pad(np.where(_is_border(labels), labels, 0), 1)
    rows, columns = np.nonzero(border)
    mine = border[rows, columns]

    def alike(steps: tuple[tuple[int, int], ...]) -> NDArray[np.intp]:
        same = [border[rows + down, columns + right] == mine for down, right in steps]
        return np.asarray(np.sum(same, axis=0), np.intp)

    lengths = _LENGTHS[1 + 2 * alike(_BESIDE) + 10 * alike(_CORNERS)]
    return np.asarray(np.bincount(mine, lengths, minlength=count + 1)[1:], np.float64)


def _is_border(labels: Labels) -> NDArray[np.bool_]:
    """Pixels of objects with another label, or the image's end, beside them."""
    border = np.zeros(labels.shape, np.bool_)
    border[[0, -1]] = border[:, [0, -1]] = True
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    border[1:] |= down
    border[:-1] |= down
    border[:, 1:] |= right
    border[:, :-1] |= right
    return np.asarray(border & (labels > 0), np.bool_)
