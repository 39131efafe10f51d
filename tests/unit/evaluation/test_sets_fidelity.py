"""A judge against the labels: overlaps, and the figures made of them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Labels, Segmentation
from services.evaluation.average_precision import average_precision
from services.evaluation.sets.fidelity import Judge, fidelity_metrics
from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import Unavailable
from services.evaluation.sets.objects import numbered
from services.evaluation.sets.overlaps import find_overlaps
from tests.unit.evaluation.synthetic_fields import figure, make_fields, renamed

maps = npst.arrays(np.int32, (6, 8), elements=st.sampled_from([0, 0, 1, 2, 3, 9]))


def _row(text: str) -> Labels:
    return np.array([[int(character) for character in text]], np.int32)


def _bright_pieces(image: NDArray[np.uint8]) -> Labels:
    return cv2.connectedComponents((image > 128).astype(np.uint8))[1].astype(np.int32)


def _squares(name: str, gap: int) -> Field:
    """Two bright squares of 8 px, so far apart."""
    labels = np.zeros((24, 32), np.int32)
    labels[8:16, 4:12], labels[8:16, 12 + gap : 20 + gap] = 1, 2
    return Field(name, np.where(labels > 0, 0.9, 0.1).astype(np.float32), Segmentation(nuclei=labels))


@given(maps)
def test_a_map_agrees_with_itself(labels: Labels) -> None:
    found = find_overlaps(labels, labels)
    assert (found.aji, found.dice) == (1.0, 1.0)
    assert (found.missed, found.merged, found.split) == (0, 0, 0)


@given(maps, maps)
def test_the_index_is_that_of_its_definition(true: Labels, found: Labels) -> None:
    both, either, used = 0, 0, set()
    for one in np.unique(true[true > 0]):
        scores = [
            (float(((true == one) & (found == other)).sum() / ((true == one) | (found == other)).sum()), -int(other))
            for other in np.unique(found[found > 0])
        ]
        score, other = max(scores, default=(0.0, 0))
        mine = (found == -other) if score > 0 else np.zeros_like(found, np.bool_)
        used |= {-other} if score > 0 else set()
        both += ((true == one) & mine).sum()
        either += ((true == one) | mine).sum()
    either += (np.isin(found, list(used), invert=True) & (found > 0)).sum()
    assert find_overlaps(true, found).aji == pytest.approx(both / either if either else 1.0)


@given(maps, maps)
def test_average_precision_is_the_one_there_is(true: Labels, found: Labels) -> None:
    assert np.array_equal(find_overlaps(true, found).average_precision(), average_precision(true, found))


@given(maps)
def test_numbers_do_not_depend_on_how_large_labels_are(labels: Labels) -> None:
    large = np.where(labels > 0, labels * 100_000_000, 0)
    assert np.array_equal(numbered(large), numbered(labels))
    assert np.array_equal(np.unique(numbered(labels)[labels > 0]), 1 + np.arange(len(np.unique(labels[labels > 0]))))


@pytest.mark.parametrize(
    ("true", "found", "counts"),
    [
        ("111022200333", "444055500000", (1, 0, 0)),  # the last is missed
        ("111022200333", "444444400555", (0, 2, 0)),  # the first two are found as one
        ("111111110222", "334455660777", (0, 0, 1)),  # the first is found in four
        ("11111111", "30000000", (1, 0, 0)),  # an eighth is not half
    ],
)
def test_objects_are_missed_merged_and_split(true: str, found: str, counts: tuple[int, int, int]) -> None:
    overlaps = find_overlaps(_row(true), _row(found))
    assert (overlaps.missed, overlaps.merged, overlaps.split) == counts


def test_maps_of_two_sizes_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"one size; got \(1, 2\) and \(1, 3\)"):
        find_overlaps(_row("01"), _row("011"))


def test_a_judge_that_sees_all_is_right_and_labels_that_touch_are_merged() -> None:
    apart = [_squares("a", gap=2), _squares("b", gap=4)]
    touching = [_squares("a", gap=0), _squares("b", gap=4)]
    perfect = [figure(metric, apart, apart) for metric in fidelity_metrics(Judge("nuclei", _bright_pieces))]
    assert perfect == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    ap50, mean_ap, aji, dice, missed, merged, split = (
        figure(metric, apart, touching) for metric in fidelity_metrics(Judge("nuclei", _bright_pieces))
    )
    # In one field of two the found object is two halves: one match among two objects, and half of its area is right.
    assert (ap50, dice, missed, merged, split) == (0.75, 1.0, 0.0, 0.5, 0.0)
    assert mean_ap == pytest.approx((1 + 0.5 * 0.1) / 2)
    assert aji == pytest.approx((1 + 0.5) / 2)


def test_order_and_names_do_not_matter() -> None:
    fields = [_squares("a", gap=0), _squares("b", gap=4), _squares("c", gap=0)]
    for metric in fidelity_metrics(Judge("nuclei", _bright_pieces)):
        assert figure(metric, renamed(fields), renamed(fields)) == pytest.approx(figure(metric, fields, fields))


def test_fields_without_labels_or_objects_and_no_judge_have_reasons() -> None:
    bare = [replace(_squares("a", 2), labels=None)]
    empty = [replace(_squares("a", 2), labels=Segmentation(nuclei=np.zeros((24, 32), np.int32)))]
    assert {metric.absent for metric in fidelity_metrics(None)} == {"no judge was given"}
    for metric in fidelity_metrics(Judge("nuclei", _bright_pieces)):
        with pytest.raises(Unavailable, match="labels of nuclei"):
            figure(metric, bare, bare)
    with pytest.raises(Unavailable, match="too little"):
        figure(fidelity_metrics(Judge("nuclei", _bright_pieces))[4], empty, empty)


def test_a_judge_is_held_against_the_labels_of_its_own_part() -> None:
    [field] = make_fields(1)
    assert field.labels is not None and field.labels.nuclei is not None
    both = replace(field, labels=Segmentation(cells=np.ones_like(field.labels.nuclei), nuclei=field.labels.nuclei))
    first, second = (fidelity_metrics(Judge("nuclei", _bright_pieces))[0].measure(one) for one in (field, both))
    assert np.array_equal(first, second)
    assert len(fidelity_metrics(Judge("cells", _bright_pieces))[0].measure(field)) == 0
