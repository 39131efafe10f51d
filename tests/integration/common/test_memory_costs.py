"""What computations are reckoned to take, which admission, manifests and docs share, is what they take."""

from __future__ import annotations

import os

import pytest

from services.common.serving.memory import COSTS
from tests.support.footprint import WORK, added

SIDE_PX = 2000


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="peaks are read from Linux's /proc")
@pytest.mark.parametrize("work", WORK)
def test_a_computation_takes_no_more_memory_than_is_reckoned(work: str) -> None:
    assert added(work, SIDE_PX) <= COSTS[work.partition(":")[0]].of(SIDE_PX**2)
