"""A label map as runs of equal labels in its rows: some hundred times fewer numbers than pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels


@dataclass(frozen=True)
class Runs:
    """Runs of objects in reading order, all (n,) int64.

    label: above 0. row: in which it lies. start, stop: its first column, and the one behind its last.
    """

    label: NDArray[np.int64]
    row: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]


def runs_of(labels: Labels) -> Runs:
    """The runs of a label map, (H, W), 0 = background.

    >>> runs_of(np.array([[0, 7, 7], [2, 7, 0]], np.int32))
    Runs(label=array([7, 2, 7]), row=array([0, 1, 1]), start=array([1, 0, 1]), stop=array([3, 1, 2]))
    """
    begins = np.ones(labels.shape, np.bool_)
    begins[:, 1:] = labels[:, 1:] != labels[:, :-1]
    first = np.flatnonzero(begins)
    behind = np.append(first[1:], labels.size)
    label = labels.ravel()[first].astype(np.int64)
    kept = label > 0
    row, start = np.divmod(first[kept], labels.shape[1])
    return Runs(label[kept], row, start, start + (behind - first)[kept])
