from __future__ import annotations

import re

import numpy as np
import pytest

from services.segmentation.learned.segment import Objects
from services.segmentation.scratch import find_scratch, find_scratch_learned, wound_by_texture
from tests.unit.segmentation.synthetic import scratch, sheet

WOUND = slice(150, 260)


def test_wound_and_cells_never_share_a_pixel() -> None:
    found = find_scratch(scratch(WOUND)[0])
    assert found.cells is not None and found.wound is not None
    assert found.wound.mean() > 0.15
    assert not found.wound[found.cells > 0].any()


def test_a_cell_within_the_wound_is_a_cell_and_no_wound() -> None:
    image, _ = scratch(WOUND)
    lonely = image.copy()
    lonely[190:216, 190:216] = image[0:26, 0:26]
    found = find_scratch(lonely)
    assert found.cells is not None and found.wound is not None
    assert found.cells[190:216, 190:216].any()
    assert not found.wound[190:216, 190:216].all()
    assert np.array_equal(np.unique(found.cells), np.arange(found.cells.max() + 1))


def test_a_sheet_of_cells_has_cells_and_an_empty_wound() -> None:
    found = find_scratch(sheet())
    assert found.cells is not None and found.wound is not None
    assert found.cells.any()
    assert not found.wound.any()


@pytest.mark.parametrize(
    ("image", "confidence", "said"),
    [
        (np.full((260, 260), 100, np.uint8), (0.9, 0.3), "1 more that it found are left out"),
        (np.full((260, 260), 100, np.uint8), (), ""),
        (255 - scratch(WOUND)[0], (0.9, 0.3), "it is sure of 1 of [0-9]+ cells, and the others are by texture"),
        (scratch(WOUND)[0], (0.9, 0.3), "all cells are by texture"),
    ],
)
def test_a_network_that_is_not_at_home_says_what_became_of_the_cells_it_is_not_sure_of(
    image: np.ndarray, confidence: tuple[float, ...], said: str
) -> None:
    labels = np.zeros(image.shape, np.int32)
    for number in range(len(confidence)):
        labels[10:40, 60 * number + 10 : 60 * number + 40] = number + 1
    objects = Objects(labels, np.array(confidence, np.float32), 30.0)
    warnings = find_scratch_learned(image, objects, wound_by_texture).warnings
    assert len(warnings) == bool(said)
    assert all(re.search(said, one) for one in warnings)
