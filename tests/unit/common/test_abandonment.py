"""Computations end between their steps once nobody waits for them."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from services.common.abandonment import ABANDONED, Abandoned
from services.common.imaging.labels import Segmentation
from services.evaluation.paired import compare_pair
from services.reference.render import render
from services.reference.schemas import named
from services.segmentation.builtin import builtin_segmenters
from tests.support.pictures import nuclei_picture

PICTURE = nuclei_picture()
WORK: dict[str, Callable[[], object]] = {
    **{name: partial(one.segment, PICTURE) for name, one in builtin_segmenters().items()},
    "render": lambda: render(Segmentation(nuclei=(PICTURE > 100).astype(np.int32)), named("nuclei3")),
    "compare_pair": lambda: compare_pair(PICTURE, PICTURE),
}


@pytest.mark.parametrize("name", WORK)
def test_work_ends_early_only_where_nobody_waits_for_it(name: str) -> None:
    flag, context = threading.Event(), contextvars.copy_context()
    context.run(ABANDONED.set, flag)
    context.run(WORK[name])
    flag.set()
    with pytest.raises(Abandoned):
        context.run(WORK[name])
