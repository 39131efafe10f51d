"""Average precision of found objects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.optimize import linear_sum_assignment

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Labels
from services.evaluation.average_precision import COCO_THRESHOLDS, average_precision

maps = npst.arrays(np.int32, (6, 8), elements=st.sampled_from([0, 0, 1, 2, 3, 9]))


def _row(text: str) -> Labels:
    return np.array([[int(character) for character in text]], np.int32)


def test_the_thresholds_are_the_ten_of_coco() -> None:
    assert COCO_THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


@given(maps)
def test_a_map_agrees_with_itself_whatever_its_numbers(labels: Labels) -> None:
    numbers = np.array([0, 7, 3, 12, 0, 0, 0, 0, 0, 1], np.int32)
    assert (average_precision(labels, numbers[labels]) == 1.0).all()


@given(maps, maps)
def test_it_is_symmetric_between_0_and_1_and_never_rises_with_the_threshold(true: Labels, found: Labels) -> None:
    scores = average_precision(true, found)
    assert np.array_equal(scores, average_precision(found, true))
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (np.diff(scores) <= 0).all()


@given(maps, maps)
def test_it_counts_what_the_best_matching_counts(true: Labels, found: Labels) -> None:
    truths, findings = (np.unique(labels[labels > 0]) for labels in (true, found))
    hits = np.zeros((len(truths), len(findings)))
    for row, one in enumerate(truths):
        for column, other in enumerate(findings):
            union = ((true == one) | (found == other)).sum()
            hits[row, column] = ((true == one) & (found == other)).sum() / union >= 0.5
    matched = hits[linear_sum_assignment(hits, maximize=True)].sum()
    total = len(truths) + len(findings) - matched
    assert average_precision(true, found, (0.5,))[0] == (matched / total if total else 1.0)


def test_a_worked_example() -> None:
    # Object 1 overlaps by 4 of 5 pixels, 2 is missed, 3 is made up: at 0.8 one hit, one miss, one false alarm.
    true, found = _row("0111100022220"), _row("0111110000033")
    assert average_precision(true, found, (0.5, 0.8, 0.85)).tolist() == pytest.approx([1 / 3, 1 / 3, 0.0])


def test_two_empty_maps_agree_and_one_empty_map_does_not() -> None:
    empty, full = np.zeros((3, 3), np.int32), np.ones((3, 3), np.int32)
    assert (average_precision(empty, empty) == 1.0).all()
    assert (average_precision(full, empty) == 0.0).all()
    assert (average_precision(empty, full) == 0.0).all()


def test_halves_of_one_object_match_it_only_once() -> None:
    assert average_precision(_row("1122"), _row("3333"), (0.5,))[0] == 0.5
    # One object found in halves, and two found as one: each is one match, of 6 objects in all.
    assert average_precision(_row("1111022330"), _row("1122033330"), (0.5,))[0] == 0.5


def test_maps_of_two_sizes_and_low_thresholds_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"one size; got \(1, 4\) and \(1, 5\)"):
        average_precision(_row("0110"), _row("01100"))
    with pytest.raises(InvalidArgument, match=r"at least 0\.5; got 0\.3"):
        average_precision(_row("0110"), _row("0110"), (0.3, 0.5))
