"""Outlines along the edges of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from services.common.imaging.labels import Labels
from services.segmentation.contours import Piece, Ring, pieces_of
from tests.support.label_maps import discs

HOLED = np.array([[1, 1, 1, 1], [1, 0, 2, 1], [1, 1, 1, 1]], np.int32)
# A C whose ends meet at a corner only: 4-connected, and yet around a hole.
PINCHED = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], np.int32)


def filled(pieces: list[Piece], shape: tuple[int, int]) -> NDArray[np.int64]:
    """The labels whose pixel centres the rings enclose; of no two pieces one pixel."""
    labels = np.zeros(shape, np.int64)
    for piece in pieces:
        inside = _inside(piece.outer, shape)
        for hole in piece.holes:
            assert (inside | ~_inside(hole, shape)).all()
            inside &= ~_inside(hole, shape)
        assert not labels[inside].any()
        labels[inside] = piece.label
    return labels


def _inside(ring: Ring, shape: tuple[int, int]) -> NDArray[np.bool_]:
    return np.asarray(polygon2mask(shape, ring[:, ::-1] - 0.5), np.bool_)


def area(ring: Ring) -> float:
    x, y = ring.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


@pytest.mark.parametrize(
    "labels",
    [
        discs(),
        (np.random.default_rng(0).random((40, 50)) > 0.4).astype(np.int32),
        np.random.default_rng(1).integers(0, 4, (30, 30)).astype(np.int32),
        HOLED,
        PINCHED,
        np.eye(4, dtype=np.int32),
        np.ones((1, 1), np.int32),
        np.zeros((3, 3), np.int32),
    ],
    ids=["discs", "random", "random labels", "holed", "pinched", "diagonal", "one pixel", "none"],
)
def test_filled_outlines_are_the_labels_again(labels: Labels) -> None:
    pieces = list(pieces_of(labels))
    assert np.array_equal(filled(pieces, labels.shape), labels)
    assert all(area(piece.outer) > 0 > max(map(area, piece.holes), default=-1) for piece in pieces)


def test_a_label_within_another_leaves_a_hole_in_it() -> None:
    around, within = pieces_of(HOLED)
    assert (around.label, len(around.holes), area(around.holes[0])) == (1, 1, -2)
    assert within.label == 2 and within.outer.tolist() == [[2, 1], [3, 1], [3, 2], [2, 2]]


def test_pixels_that_meet_at_a_corner_are_pieces_of_their_own() -> None:
    assert [piece.outer.tolist()[0] for piece in pieces_of(np.eye(3, dtype=np.int32))] == [[0, 0], [1, 1], [2, 2]]
