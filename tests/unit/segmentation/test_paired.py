"""Nuclei and cells of two channels, matched."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import label

from services.common.imaging.labels import Labels, Segmentation
from services.segmentation.paired import paired, within
from services.segmentation.regions import tidy
from services.segmentation.segmenter import Found

Pair: TypeAlias = tuple[Labels, Labels]


@st.composite
def label_maps(draw: st.DrawFn) -> Pair:
    """Cells and nuclei of one size, as segmenters number them."""
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14))
    cells, nuclei = (draw(hnp.arrays(np.int32, shape, elements=st.integers(0, 3))) for _ in range(2))
    return tidy(cells, 1), tidy(nuclei, 1)


@settings(deadline=None, max_examples=300)
@given(label_maps())
def test_each_nucleus_lies_in_one_cell_in_one_piece_and_numbers_have_no_gaps(pair: Pair) -> None:
    cells, nuclei = pair
    before = cells.copy(), nuclei.copy()
    inside, former = within(cells, nuclei)
    assert inside.dtype == np.int32
    assert np.array_equal(np.unique(inside[inside > 0]), np.arange(1, len(former) + 1))
    for number, was in enumerate(former, 1):
        mine = inside == number
        assert len(np.unique(cells[mine])) == 1 and cells[mine].all()
        assert label(mine, connectivity=1).max() == 1
        assert (nuclei[mine] == was).all()
    assert np.array_equal(cells, before[0]) and np.array_equal(nuclei, before[1])


@settings(deadline=None, max_examples=300)
@given(label_maps())
def test_a_nucleus_stays_where_one_cell_holds_half_of_it_or_more(pair: Pair) -> None:
    cells, nuclei = pair
    inside, former = within(cells, nuclei)
    expected = {}
    for number in range(1, int(nuclei.max()) + 1):
        shares = np.bincount(cells[nuclei == number], minlength=2)
        if 2 * shares[1:].max() >= shares.sum():
            expected[number] = int(shares[1:].argmax()) + 1
    assert sorted(former) == sorted(expected)
    for number, was in enumerate(former, 1):
        assert set(cells[inside == number]) == {expected[int(was)]}


def test_a_cell_that_divides_keeps_both_nuclei_and_one_between_cells_goes_to_the_larger_share() -> None:
    cells = np.zeros((12, 30), np.int32)
    cells[:, :14], cells[:, 14:28] = 1, 2
    nuclei = np.zeros_like(cells)
    nuclei[2:5, 2:5], nuclei[7:10, 2:5], nuclei[4:8, 12:20] = 1, 2, 3
    inside, former = within(cells, nuclei)
    assert set(inside[cells == 1]) - {0} == {1, 3}  # numbered anew by first pixel
    assert list(former) == [1, 3, 2]
    assert (inside == 2).sum() == 4 * 6 and set(cells[inside == 2]) == {2}


def test_of_a_nucleus_that_its_cell_cuts_in_two_the_larger_piece_stays() -> None:
    cells, nuclei = np.ones((5, 9), np.int32), np.zeros((5, 9), np.int32)
    cells[:, 3] = 0
    nuclei[2, :] = 1
    inside, _ = within(cells, nuclei)
    assert np.array_equal(np.flatnonzero(inside[2]), [4, 5, 6, 7, 8])


def _cells(wound: bool = True) -> Found:
    cells = np.zeros((20, 40), np.int32)
    cells[4:16, 4:14] = 1
    zone = np.zeros(cells.shape, np.bool_)
    zone[:, 10:] = True
    return Found(Segmentation(cells, wound=zone if wound else None), {"cells": np.array([0.75], np.float32)}, 12.0)


def _nuclei() -> Labels:
    nuclei = np.zeros((20, 40), np.int32)
    nuclei[0:3, 30:34], nuclei[8:12, 6:9], nuclei[8:12, 10:13], nuclei[17:19, 20:24] = 1, 2, 3, 4
    return nuclei


def test_confidence_follows_its_nucleus_and_the_wound_holds_neither_cell_nor_nucleus() -> None:
    nuclei = Found(Segmentation(nuclei=_nuclei()), {"nuclei": np.array([0.1, 0.2, 0.3, 0.4], np.float32)}, 5.0)
    made = paired(_cells(), nuclei)
    assert (made.nuclei, made.left_out, made.warnings) == (4, 2, ())
    found = made.found
    assert found.segmentation.parts == ("cells", "nuclei", "wound") and found.diameter_px == 12.0
    assert found.confidence["cells"].tolist() == [0.75]
    assert found.confidence["nuclei"].tolist() == [np.float32(0.2), np.float32(0.3)]
    wound, inside, cells = found.segmentation.wound, found.segmentation.nuclei, found.segmentation.cells
    assert wound is not None and inside is not None and cells is not None
    assert wound.any() and not wound[(cells > 0) | (inside > 0)].any()


def test_without_a_wound_or_confidence_there_is_none() -> None:
    made = paired(Found(_cells(wound=False).segmentation), Found(Segmentation(nuclei=_nuclei())))
    assert made.found.segmentation.parts == ("cells", "nuclei")
    assert made.found.confidence == {}


def test_channels_that_look_swapped_or_without_nuclei_are_told() -> None:
    astray = np.where(_nuclei() == 3, 0, _nuclei())
    made = paired(_cells(), Found(Segmentation(nuclei=tidy(astray, 1))))
    assert made.warnings == ("2 of 3 nuclei lie in no cell: are the channels swapped?",)
    none = paired(_cells(), Found(Segmentation(nuclei=np.zeros((20, 40), np.int32))))
    assert none.found.segmentation.nuclei is not None and not none.found.segmentation.nuclei.any()
    assert "no nuclei were found" in none.warnings[0]


def test_seventy_thousand_nuclei_of_one_pixel_are_matched() -> None:
    nuclei = np.zeros((600, 600), np.int32)
    nuclei[::2, ::2] = np.arange(1, 90_001).reshape(300, 300)
    cells = np.where(np.arange(600) < 300, 1, 2).astype(np.int32) * np.ones((600, 1), np.int32)
    inside, former = within(cells, nuclei)
    assert np.array_equal(inside, nuclei) and np.array_equal(former, np.arange(1, 90_001))
