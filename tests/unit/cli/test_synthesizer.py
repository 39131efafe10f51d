"""What is doubtful of a wound that was found between the cells of a mask."""

from __future__ import annotations

import numpy as np
import pytest

from services.cli.synthesizer import sparse_beside
from services.synthesis.truth import Truth


@pytest.mark.parametrize(("covered", "doubtful"), [(1.0, False), (0.6, False), (0.2, True), (0.0, True)])
def test_a_wound_between_sparse_cells_is_doubted_and_one_beside_a_sheet_is_not(covered: float, doubtful: bool) -> None:
    labels, wound = np.zeros((100, 200), np.int32), np.zeros((100, 200), np.bool_)
    wound[:, 100:] = True
    labels[: round(100 * covered), :100] = 1
    told = sparse_beside(Truth(labels, wound))
    assert bool(told) is doubtful
    assert not doubtful or f"cells cover {covered:.0%} of what the wound leaves" in told[0]


def test_where_nothing_is_said_of_a_wound_nothing_is_doubted() -> None:
    labels = np.zeros((4, 4), np.int32)
    assert sparse_beside(Truth(labels)) == sparse_beside(Truth(labels, np.zeros((4, 4), np.bool_))) == ()
