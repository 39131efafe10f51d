"""Objects given by their outlines, filled into labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidSegmentation
from services.common.imaging.labels import Labels

Ring = NDArray[np.float64]  # (N, 2) as x, y; the last point joins the first


@dataclass(frozen=True)
class Outlined:
    """One object, or a piece of one: its rings, outer ones and holes alike.

    name: for messages. number: its label; 0: its place in the file, from 1.
    """

    name: str
    rings: Sequence[Ring]
    number: int = 0


def fill(outlined: Sequence[Outlined], shape: tuple[int, int]) -> tuple[Labels, tuple[str, ...]]:
    """Labels (H, W), later over earlier; and notes on what was lost.

    A pixel is inside where its centre is, by the even-odd rule; x and y are pixels from the corner of the image, as
    ImageJ and QuPath have them. Raises InvalidSegmentation for an object that lies wholly outside of the image.

    >>> square = np.array([[1, 0], [3, 0], [3, 2], [1, 2]], np.float64)
    >>> fill([Outlined("a", [square])], (2, 4))[0]
    array([[0, 1, 1, 0],
           [0, 1, 1, 0]], dtype=int32)
    """
    labels = np.zeros(shape, np.int32)
    overlapping = 0
    numbers = [one.number or place for place, one in enumerate(outlined, 1)]
    for number, one in zip(numbers, outlined, strict=True):
        _check_inside(one, shape)
        top, left, inside = _filled(one.rings, shape)
        window = labels[top : top + inside.shape[0], left : left + inside.shape[1]]
        overlapping += bool((window[inside] > 0).any())
        window[inside] = number
    hidden = len(set(numbers)) - len(np.unique(labels[labels > 0]))
    notes = []
    if overlapping:
        notes.append("outlines that overlap: where they do, the later one is on top")
    if hidden:
        notes.append("outlines without a pixel of their own (too small, or wholly under another): left out")
    return labels, tuple(notes)


def _check_inside(one: Outlined, shape: tuple[int, int]) -> None:
    points = np.concatenate(list(one.rings))
    if not np.isfinite(points).all():
        raise InvalidSegmentation(f"expected outlines of finite numbers; {one.name!r:.80} has others")
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    if right <= 0 or bottom <= 0 or left >= shape[1] or top >= shape[0]:
        raise InvalidSegmentation(
            f"expected outlines within the image, {shape[0]} x {shape[1]} px; {one.name!r:.80} lies at x {left:g} to "
            f"{right:g}, y {top:g} to {bottom:g}; are they of another image, or in micrometres?"
        )


def _filled(rings: Sequence[Ring], shape: tuple[int, int]) -> tuple[int, int, NDArray[np.bool_]]:
    """Where in the image it begins, and its pixels from there.

    In each row every edge that crosses the row's middle toggles all pixels to its right, so a running sum says how
    often each is toggled.
    """
    points = np.concatenate(list(rings))
    low = np.maximum(np.floor(points.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0)), (shape[1], shape[0])).astype(int)
    width, height = high - low
    toggles = np.zeros((height, width + 1), np.int32)
    for ring in rings:
        x, y = (ring - low - 0.5).T  # middles of pixels are whole numbers now
        row, column = _crossings(x, y, height)
        np.add.at(toggles, (row, np.clip(column, 0, width)), 1)
    return int(low[1]), int(low[0]), np.cumsum(toggles[:, :width], axis=1) % 2 == 1


def _crossings(x: NDArray[np.float64], y: NDArray[np.float64], height: int) -> tuple[NDArray[np.intp], ...]:
    """Row, and first pixel at the right or on it, of every crossing of an edge with the middle of a row."""
    x_end, y_end = np.roll(x, -1), np.roll(y, -1)
    first = np.clip(np.ceil(np.minimum(y, y_end)), 0, height).astype(np.intp)
    after = np.clip(np.ceil(np.maximum(y, y_end)), 0, height).astype(np.intp)  # half open: a corner counts once
    count = after - first
    edge = np.repeat(np.arange(len(x)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    along = (row - y[edge]) / (y_end[edge] - y[edge])
    return row, np.ceil(x[edge] + along * (x_end[edge] - x[edge])).astype(np.intp)
