"""The picture of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.cli.overview import GAP_PX, MOST_WIDTH_PX, PANEL_HEIGHT_PX, TITLE_PX, outline, overview
from services.common.imaging.labels import Segmentation


def _segmentation(height: int, width: int) -> Segmentation:
    cells = np.zeros((height, width), np.int32)
    cells[2:20, 2:20], cells[2:20, 20:30] = 1, 2
    nuclei = np.zeros_like(cells)
    nuclei[8:12, 8:12] = 1
    wound = np.zeros(cells.shape, np.bool_)
    wound[30:] = True
    return Segmentation(cells, nuclei, wound)


@pytest.mark.parametrize(
    "size", [(1, 1), (5, 7), (40, 60), (700, 900), (1, 4000), (4000, 1)], ids=lambda size: f"{size[0]}x{size[1]}"
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_four_panels_of_one_height_whatever_the_size(size: tuple[int, int], dtype: type) -> None:
    image: NDArray[Any] = np.random.default_rng(0).integers(0, 255, size).astype(dtype)
    grey = np.zeros(size, np.uint8)
    picture = overview(image, _segmentation(*size), grey, grey)
    assert picture.dtype == np.uint8
    assert picture.shape[0] == PANEL_HEIGHT_PX + TITLE_PX
    assert picture.shape[2] == 3
    assert picture.shape[1] <= 4 * MOST_WIDTH_PX + 3 * GAP_PX
    width = (picture.shape[1] - 3 * GAP_PX) // 4
    assert width == min(MOST_WIDTH_PX, max(1, round(size[1] * PANEL_HEIGHT_PX / size[0])))


def test_the_picture_is_drawn_twice_alike() -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 60)).astype(np.uint8)
    first, second = (overview(image, _segmentation(40, 60), image, image) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_outlines_are_coloured_on_the_labels_only() -> None:
    image = np.full((40, 60), 100, np.uint8)
    segmentation = _segmentation(40, 60)
    assert segmentation.cells is not None
    picture = outline(image, Segmentation(segmentation.cells))
    coloured = (picture != 100).any(2)
    assert not coloured[segmentation.cells == 0].any()
    assert coloured[2, 2:30].all()
    assert not coloured[10, 10]
    # Where two cells touch, both are outlined, each in its own hue.
    assert tuple(picture[10, 19]) != tuple(picture[10, 20])


def test_labels_of_any_value_have_a_hue_each_which_takes_no_memory_for_those_between() -> None:
    cells = np.zeros((40, 60), np.int32)
    cells[2:20, 2:20], cells[2:20, 20:30] = 2_000_000_000, np.iinfo(np.int32).max
    picture = outline(np.full((40, 60), 100, np.uint8), Segmentation(cells))
    assert tuple(picture[10, 19]) != tuple(picture[10, 20])
    assert ((picture != 100).any(2) <= (cells > 0)).all()


def test_objects_without_a_border_are_not_outlined() -> None:
    image = np.full((4, 4), 100, np.uint8)
    for cells in (np.zeros((4, 4), np.int32), np.ones((4, 4), np.int32)):
        assert (outline(image, Segmentation(cells)) == 100).all()


def test_the_wound_is_tinted_and_the_rest_is_not() -> None:
    wound = np.zeros((20, 20), np.bool_)
    wound[10:] = True
    picture = outline(np.full((20, 20), 100, np.uint8), Segmentation(wound=wound))
    assert (picture[:10] == 100).all()
    assert (picture[10:, :, 0] > picture[10:, :, 2]).all()


def test_a_run_that_stopped_early_has_fewer_panels() -> None:
    image, segmentation = np.zeros((640, 100), np.uint8), _segmentation(640, 100)
    assert overview(image, segmentation).shape[1] == 2 * 100 + GAP_PX
    assert overview(image, segmentation, image).shape[1] == 3 * 100 + 2 * GAP_PX
