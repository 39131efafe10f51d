"""Fields, sets of them, and windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Segmentation
from services.evaluation.sets.field import Field, FieldSet
from services.evaluation.sets.metric import Measured
from services.evaluation.sets.windows import chosen_windows, cut_windows
from tests.unit.evaluation.synthetic_fields import make_fields, renamed


def test_an_image_with_nan_beyond_0_to_1_too_small_or_of_another_dtype_is_refused() -> None:
    for value in (np.nan, -0.1, 1.1, np.inf):
        image = np.zeros((8, 8), np.float32)
        image[3, 3] = value
        with pytest.raises(InvalidArgument, match="values from 0 to 1 in field 'a'"):
            Field("a", image)
    with pytest.raises(InvalidArgument, match=r"at least 4 x 4 px.*got shape \(3, 9\)"):
        Field("a", np.zeros((3, 9), np.float32))
    with pytest.raises(InvalidArgument, match="float64"):
        Field("a", np.zeros((9, 9)))  # type: ignore[arg-type]


def test_labels_of_another_size_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"labels of the size \(8, 8\)"):
        Field("a", np.zeros((8, 8), np.float32), Segmentation(nuclei=np.zeros((8, 9), np.int32)))


def test_empty_and_huge_sets_and_names_that_are_there_twice_are_refused() -> None:
    fields = make_fields(3, side=32)
    with pytest.raises(InvalidArgument, match="1 to 1000 fields in the real set; got 0"):
        FieldSet([], "real")
    with pytest.raises(InvalidArgument, match="1 to 2 fields in the real set; got 3"):
        FieldSet(fields, "real", most=2)
    with pytest.raises(InvalidArgument, match="'0' 2 times"):
        FieldSet([fields[0], fields[1], fields[0]], "real")


def test_the_order_of_a_set_is_that_of_its_pixels_whatever_order_and_names() -> None:
    fields = make_fields(6, side=32)
    first, second = FieldSet(fields, "real"), FieldSet(renamed(fields), "real")
    assert len(first) == 6
    assert [one.image.tobytes() for one in first] == [one.image.tobytes() for one in second]
    assert [one.name for one in first[1:3]] == [first[1].name, first[2].name]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(2, 16), st.integers(1, 9))
def test_windows_have_one_size_do_not_overlap_and_reach_from_edge_to_edge(
    height: int, width: int, side: int, most: int
) -> None:
    image = np.arange(height * width, dtype=np.float32).reshape(height, width)
    windows = cut_windows(image, side, most)
    assert len(windows) == min(most, (height // side) * (width // side))
    assert all(window.shape == (side, side) for window in windows)
    pixels = np.concatenate([window.ravel() for window in windows]) if windows else np.empty(0)
    assert len(np.unique(pixels)) == len(pixels)
    if len(windows) > 1 and min(height, width) >= 2 * side:
        assert windows[-1][-1, -1] == image[-1, -1]


def test_as_many_windows_of_each_field_are_chosen_and_one_at_least() -> None:
    sets = [Measured("a", np.arange(10.0)[:, None]), Measured("b", np.full((1, 1), 100.0))]
    features, owners = chosen_windows(sets, most=6)
    assert features[:, 0].tolist() == [0.0, 4.0, 9.0, 100.0]  # of 10 windows the first, the last, and one between
    assert owners.tolist() == [0, 0, 0, 1]
    assert len(chosen_windows(sets * 5, most=3)[0]) == 10
