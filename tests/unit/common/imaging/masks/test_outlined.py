"""Outlines are filled by the middles of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from services.common.errors import InvalidSegmentation
from services.common.imaging.masks.outlined import Outlined, fill


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_any_polygon_is_filled_as_scikit_image_fills_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.uniform(-10, 50, (int(random.integers(3, 9)), 2)) + 0.123
    points[0] = 20, 20  # within the image
    filled, _ = fill([Outlined("a", [points])], (40, 45))
    np.testing.assert_array_equal(filled > 0, polygon2mask((40, 45), points[:, ::-1] - 0.5))


def test_polygons_that_share_edges_leave_no_gap_and_share_no_pixel() -> None:
    one, two = np.array([[0, 0], [9, 0], [0, 9]], np.float64), np.array([[9, 0], [9, 9], [0, 9]], np.float64)
    labels, notes = fill([Outlined("a", [one]), Outlined("b", [two])], (9, 9))
    assert (labels > 0).all() and notes == ()


def test_what_overlaps_or_has_no_pixel_is_said() -> None:
    labels, notes = fill([Outlined("a", [box(0, 0, 6, 6)]), Outlined("b", [box(4, 0, 8, 6)])], (6, 8))
    assert labels[0].tolist() == [1, 1, 1, 1, 2, 2, 2, 2]
    assert notes == ("outlines that overlap: where they do, the later one is on top",)
    _, notes = fill([Outlined("a", [box(1, 1, 1.2, 1.2)]), Outlined("b", [box(2, 2, 4, 4)])], (6, 8))
    assert notes == ("outlines without a pixel of their own (too small, or wholly under another): left out",)


def test_an_outline_that_hangs_over_the_edge_is_cut_and_one_outside_is_refused() -> None:
    labels, _ = fill([Outlined("a", [box(-3, 2, 2, 99)])], (4, 5))
    assert labels.tolist() == [[0] * 5, [0] * 5, [1, 1, 0, 0, 0], [1, 1, 0, 0, 0]]
    with pytest.raises(InvalidSegmentation, match="'far' lies at x 5 to 6, y 0 to 2; are they of another image"):
        fill([Outlined("far", [box(5, 0, 6, 2)])], (4, 5))
    with pytest.raises(InvalidSegmentation, match="finite numbers; 'odd' has others"):
        fill([Outlined("odd", [box(np.nan, 0, 6, 2)])], (4, 5))
