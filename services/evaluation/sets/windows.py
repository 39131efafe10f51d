"""Windows: square pieces of a field, all of one size, so that fields of any size give features that compare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.evaluation.sets.metric import Features, Indices, Measured, Unavailable

WINDOW_PX = 128
# Of one field: more say little new about it, and cost time.
MOST_PER_FIELD = 24
# Of one set: what discriminability and its kin look at.
MOST_PER_SET = 200
# Of one set: fewer cannot be told apart, nor have neighbours, and would be found alike for that.
LEAST_PER_SET = 20


def cut_windows(
    image: NDArray[np.float32], side: int = WINDOW_PX, most: int = MOST_PER_FIELD
) -> list[NDArray[np.float32]]:
    """As many windows as fit without overlap, spread evenly from edge to edge; of more than `most`, evenly chosen ones.

    image: (H, W). Returns views (side, side); none where the image is smaller.

    >>> [window[0, 0].item() for window in cut_windows(np.arange(35, dtype=np.float32).reshape(5, 7), side=3)]
    [0.0, 4.0]
    """
    rows, columns = (np.linspace(0, length - side, length // side).round().astype(np.intp) for length in image.shape)
    corners = [(row, column) for row in rows for column in columns]
    chosen = (corners[index] for index in evenly(len(corners), most))
    return [image[row : row + side, column : column + side] for row, column in chosen]


def evenly(count: int, most: int) -> Indices:
    """At most `most` of `count` indices, evenly chosen.

    >>> evenly(7, 3)
    array([0, 3, 6])
    """
    return np.linspace(0, count - 1, min(most, count)).round().astype(np.intp)


def chosen_windows(measured: Sequence[Measured], most: int = MOST_PER_SET) -> tuple[Features, Indices]:
    """Features of at most `most` windows of a set, but one of each field at least; as many of each, evenly chosen.

    Returns (n, d), and (n,): which field each is of.
    """
    share = max(1, most // len(measured))
    rows = [one.features[evenly(len(one.features), share)] for one in measured]
    return np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(each) for each in rows])


def need_windows(*sets: Sequence[Measured], side: int = WINDOW_PX) -> None:
    """Raise Unavailable for fewer than 20 windows in one of the sets."""
    least = min(sum(len(one.features) for one in measured) for measured in sets)
    if least < LEAST_PER_SET:
        raise Unavailable(f"needs at least {LEAST_PER_SET} windows of {side} px in each set; one has {least}")
