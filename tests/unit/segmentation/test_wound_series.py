from __future__ import annotations

import numpy as np
import pytest

from services.common.errors import InvalidArgument, InvalidImage
from services.segmentation.wound import find_wound
from services.segmentation.wound_series import follow_cell_free, follow_wound
from tests.support.wounds import band, frame, sparse

FIRST = frame(band(200))


@pytest.mark.parametrize("width", [200, 150, 100, 70, 50])
def test_a_wound_is_followed_until_it_is_narrow(width: int) -> None:
    found = follow_wound(frame(band(width), seed=width), FIRST)
    assert found.sum(axis=1).mean() == pytest.approx(width, abs=8)


def test_in_the_first_frame_itself_the_wound_is_the_same() -> None:
    found, alone = follow_wound(FIRST, FIRST), find_wound(FIRST)
    assert (found & alone).sum() / (found | alone).sum() > 0.99


def test_a_closed_wound_is_empty() -> None:
    assert not follow_wound(frame(band(0), seed=1), FIRST).any()


def test_a_wound_that_is_closed_in_its_middle_has_two_pieces() -> None:
    bare = band(90)
    bare[110:190] = False
    assert not find_wound(frame(bare, seed=1)).any()
    found = follow_wound(frame(bare, seed=1), FIRST)
    assert (found & bare).sum() / (found | bare).sum() > 0.75
    assert not found[140:160].any()


def test_gaps_that_open_elsewhere_are_no_part_of_the_wound() -> None:
    bare = band(100)
    bare[100:200, :60] = True
    found = follow_wound(frame(bare, seed=1), FIRST)
    assert found[:, 220:280].all() and not found[:, :100].any()


@pytest.mark.parametrize("gain", [0.6, 1.3])
def test_other_light_moves_no_front(gain: float) -> None:
    found = follow_wound(frame(band(100), seed=1, gain=gain), FIRST)
    assert found.sum(axis=1).mean() == pytest.approx(100, abs=8)


def test_a_blank_frame_is_refused_rather_than_closed() -> None:
    with pytest.raises(InvalidImage, match="blank, out of focus or exposed otherwise"):
        follow_wound(np.full_like(FIRST, 110), FIRST)


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidImage, match="expected frames of one size, 300 x 500 px"):
        follow_wound(FIRST[:200], FIRST)


def test_a_series_cannot_begin_without_a_scratch_unless_any_shape_will_do() -> None:
    with pytest.raises(InvalidArgument, match="expected a first frame that shows a band"):
        follow_wound(sparse(1), sparse(0))
    assert follow_cell_free(sparse(0), sparse(0)).mean() > 0.3
    with pytest.raises(InvalidArgument, match="expected a first frame that shows cells"):
        follow_cell_free(FIRST, frame(band(0)))
