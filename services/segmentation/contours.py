"""Outlines of labels as polygons along the edges of their pixels, as QuPath and ImageJ draw regions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from services.common.imaging.labels import Labels

Ring = NDArray[np.int64]
# Steps along a pixel's top, right, bottom and left edge, with the pixel always to the right: where they lead; and, seen
# from the pixel's upper left, the pixel beyond the edge and the corner where the step begins.
_DOWN, _RIGHT = np.array([0, 1, 0, -1]), np.array([1, 0, -1, 0])
_EDGES = ((-1, 0, 0, 0), (0, 1, 0, 1), (1, 0, 1, 1), (0, -1, 1, 0))


@dataclass(frozen=True)
class Piece:
    """A 4-connected part of a label.

    outer, holes: rings of corners, (n, 2) of x and y, the first not repeated at the end; the corner (0, 0) is the upper
    left of the image's first pixel. On the screen outer runs clockwise, holes the other way.
    """

    label: int
    outer: Ring
    holes: tuple[Ring, ...]


def pieces_of(labels: Labels) -> Iterator[Piece]:
    """The pieces of a label map, (H, W), by their first pixel in reading order. Filled, they are the labels again.

    >>> [piece.outer.tolist() for piece in pieces_of(np.array([[0, 3, 3], [0, 3, 3]], np.int32))]
    [[[1, 0], [3, 0], [3, 2], [1, 2]]]
    """
    pieces = np.asarray(label(labels, connectivity=1, background=0), np.int64)
    count = int(pieces.max(initial=0))
    label_of = np.zeros(count + 1, np.int64)
    label_of[pieces] = labels
    found: list[list[Ring]] = [[] for _ in range(count + 1)]
    for piece, ring in _rings(pieces):
        found[piece].append(ring)  # the outer one first: it has the piece's first corner
    for number, rings in enumerate(found[1:], 1):
        yield Piece(int(label_of[number]), rings[0], tuple(rings[1:]))


def _rings(pieces: NDArray[np.int64]) -> Iterator[tuple[int, Ring]]:
    """Each ring with its piece, by its first corner in reading order."""
    width = pieces.shape[1] + 1  # in corners
    piece, start, direction = _steps(pieces)
    order = np.lexsort((start, piece))
    piece, start, direction = piece[order], start[order], direction[order]
    following = _following(piece, start, direction, (pieces.shape[0] + 1) * width, width)
    turns = (direction[following] != direction).tolist()
    onward, ahead, seen = following.tolist(), start[following].tolist(), bytearray(len(start))
    for first in range(len(start)):
        if seen[first]:
            continue
        corners, step = [], first
        while not seen[step]:
            seen[step] = True
            if turns[step]:
                corners.append(ahead[step])
            step = onward[step]
        corners = [
            corners[-1],
            *corners[:-1],
        ]  # the first step of a ring begins at a corner, which the last one reaches
        rows, columns = np.divmod(np.array(corners), width)
        yield int(piece[first]), np.stack([columns, rows], 1)


def _steps(pieces: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """All edges between a piece and another or none: the piece, the corner where the step begins, its direction."""
    padded, width = np.pad(pieces, 1), pieces.shape[1] + 1
    found = []
    for direction, (down, right, corner_down, corner_right) in enumerate(_EDGES):
        beside = padded[1 + down : len(padded) - 1 + down, 1 + right : width + right]
        rows, columns = np.nonzero((pieces > 0) & (beside != pieces))
        corners = (rows + corner_down) * width + columns + corner_right
        found.append((pieces[rows, columns], corners, np.full(len(rows), direction)))
    piece, start, along = (np.concatenate(values) for values in zip(*found, strict=True))
    return piece, start, along


def _following(
    piece: NDArray[np.int64], start: NDArray[np.int64], direction: NDArray[np.int64], corners: int, width: int
) -> NDArray[np.intp]:
    """The step that follows each; steps sorted by piece and corner.

    Two begin at a corner where the piece meets itself diagonally: the one to the right is of the same pixel.
    """
    key = piece * corners + start
    end = start + _DOWN[direction] * width + _RIGHT[direction]
    following = np.searchsorted(key, piece * corners + end)
    other = np.minimum(following + 1, len(key) - 1)
    twice = key[other] == key[following]
    wrong = twice & (direction[following] != (direction + 1) % 4)
    return np.asarray(np.where(wrong, other, following), np.intp)
