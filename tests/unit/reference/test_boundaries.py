from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Labels
from services.reference.boundaries import dilate_square, label_boundary
from tests.unit.reference import original
from tests.unit.reference.strategies import label_maps


@settings(deadline=None)
@given(labels=label_maps(), thickness_px=st.integers(1, 5))
def test_one_pass_gives_what_erosion_label_by_label_gives(labels: Labels, thickness_px: int) -> None:
    np.testing.assert_array_equal(label_boundary(labels, thickness_px), original.boundaries(labels, thickness_px))


@settings(deadline=None)
@given(labels=label_maps())
def test_the_benchmarks_shortcut_through_boxes_is_the_definition(labels: Labels) -> None:
    np.testing.assert_array_equal(original.boundaries_in_boxes(labels), original.boundaries(labels))


def test_a_touching_pair_keeps_both_boundaries() -> None:
    labels = np.ones((5, 10), np.int32)
    labels[:, 5:] = 2
    assert label_boundary(labels)[2].tolist() == [True, False, False, False, True, True, False, False, False, True]


def test_the_edge_of_the_image_counts_as_boundary() -> None:
    boundary = label_boundary(np.ones((4, 5), np.int32))
    assert boundary.sum() == 4 * 5 - 2 * 3


def test_the_background_has_no_boundary() -> None:
    assert not label_boundary(np.zeros((3, 4), np.int32)).any()


def test_thickness_eats_a_label_from_outside_until_nothing_is_left() -> None:
    labels = np.zeros((11, 11), np.int32)
    labels[1:10, 1:10] = 1
    areas = [int(label_boundary(labels, thickness).sum()) for thickness in range(1, 7)]
    assert areas == [81 - 49, 81 - 25, 81 - 9, 81 - 1, 81, 81]


@pytest.mark.parametrize("thickness_px", [-1, 0, 65])
def test_a_thickness_out_of_range_is_refused(thickness_px: int) -> None:
    with pytest.raises(InvalidArgument, match=f"1 to 64 px; got {thickness_px}"):
        label_boundary(np.ones((3, 3), np.int32), thickness_px)


def test_dilation_reaches_corners_too() -> None:
    mask = np.zeros((5, 5), np.bool_)
    mask[2, 2] = True
    assert dilate_square(mask).sum() == 9
