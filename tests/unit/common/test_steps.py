"""Steps of work, and who is told of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.common.serving.metrics import Metrics
from services.common.steps import WATCHERS, step


def test_without_watchers_a_step_is_just_done() -> None:
    with step("decode"):
        pass


def test_every_watcher_is_told_of_a_step_by_name_and_beginning_also_where_it_fails() -> None:
    told: list[tuple[str, bool]] = []

    @contextmanager
    def watch(name: str, since: float) -> Iterator[None]:
        try:
            yield
        finally:
            told.append((name, 0 <= time.monotonic() - since < 1))

    @step("encode")
    def encode(text: str) -> bytes:
        return text.encode("ascii")

    before = WATCHERS.set((watch, watch))
    try:
        assert encode("x") == b"x"
        with pytest.raises(UnicodeEncodeError):
            encode("ä")
        with step("wait", time.monotonic() - 5):
            pass
    finally:
        WATCHERS.reset(before)
    assert told == [("encode", True)] * 4 + [("wait", False)] * 2


def test_metrics_time_the_steps_that_are_done_and_no_others() -> None:
    metrics = Metrics()
    before = WATCHERS.set((metrics.step,))
    try:
        with step("decode"):
            pass
        with pytest.raises(KeyError), step("decode"):
            raise KeyError
        with step("wait"):  # has a histogram of its own
            pass
    finally:
        WATCHERS.reset(before)
    counts = {
        sample.labels["step"]: sample.value
        for family in metrics.step_seconds.collect()
        for sample in family.samples
        if sample.name == "biosynth_step_seconds_count"
    }
    assert counts == {"decode": 1}
