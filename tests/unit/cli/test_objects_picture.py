"""The picture of how sure a segmenter is."""

from __future__ import annotations

import numpy as np
import pytest
from biosynth.objects import ObjectTable
from numpy.typing import NDArray

from services.cli.objects_picture import LEGEND_PX, SURE, UNSURE, UNTOLD, objects_picture
from services.common.imaging.labels import Labels, Segmentation
from services.segmentation.objects import objects_of, table_of
from services.segmentation.segmenter import Found

CELLS = np.zeros((700, 800), np.int32)
CELLS[0:100, 200:300], CELLS[200:300, 200:300], CELLS[400:500, 200:300] = 1, 2, 3
GREY = np.full(CELLS.shape, 7, np.uint8)


def _table(cells: Labels, confidence: list[float] | None) -> ObjectTable:
    told = {} if confidence is None else {"cells": np.array(confidence, np.float32)}
    return ObjectTable.of(
        table_of(objects_of(Found(Segmentation(cells), told), {"cells": np.zeros(cells.shape, np.uint8)}))
    )


def _colours(picture: NDArray[np.uint8]) -> set[tuple[int, ...]]:
    return {tuple(int(value) for value in colour) for colour in np.unique(picture.reshape(-1, 3), axis=0)}


def test_outlines_go_from_red_to_green_by_confidence() -> None:
    picture = objects_picture(GREY, Segmentation(CELLS), _table(CELLS, [0.5, 0.0, 1.0]))
    assert tuple(picture[200, 250]) == UNSURE and tuple(picture[400, 250]) == SURE
    assert len(set(picture[250, 250])) == 1  # grey within


def test_objects_at_the_border_are_dashed_and_others_are_not() -> None:
    picture = objects_picture(GREY, Segmentation(CELLS), _table(CELLS, [1.0, 1.0, 1.0]))
    for row, dashed in ((99, True), (299, False), (499, False)):
        drawn = (picture[row, 200:300] == SURE).all(axis=1)
        assert drawn.all() != dashed and drawn.any()
        assert not dashed or 0.3 < drawn.mean() < 0.7


def test_without_confidence_all_outlines_have_one_colour_and_the_legend_says_so() -> None:
    picture = objects_picture(GREY, Segmentation(CELLS), _table(CELLS, None))
    assert {colour for colour in _colours(picture[: CELLS.shape[0]]) if len(set(colour)) > 1} == {UNTOLD}
    told = objects_picture(GREY, Segmentation(CELLS), _table(CELLS, [1.0, 1.0, 1.0]))
    assert len(_colours(told[-LEGEND_PX:])) > 20 > len({c for c in _colours(picture[-LEGEND_PX:]) if len(set(c)) > 1})


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (1, 3000), (3000, 1), (2200, 2600)], ids=str)
def test_a_picture_of_any_size_has_a_legend_and_a_limit(size: tuple[int, int]) -> None:
    cells = np.ones(size, np.int32)
    picture = objects_picture(np.zeros(size, np.uint8), Segmentation(cells), _table(cells, [0.3]))
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    assert max(picture.shape) <= 2048 + LEGEND_PX


def test_a_segmentation_without_objects_is_the_image_with_its_legend() -> None:
    none = np.zeros((20, 20), np.int32)
    picture = objects_picture(np.zeros((20, 20), np.uint8), Segmentation(none), _table(none, []))
    assert not picture[:-LEGEND_PX].any()
