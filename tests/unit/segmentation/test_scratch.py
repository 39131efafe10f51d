from __future__ import annotations

import numpy as np

from services.segmentation.scratch import find_scratch
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
