"""A store that stalls holds nobody longer than he waits, and once it goes on so does everything."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest
from biosynth import Client
from biosynth.v1.segmentation_pb2 import ListSegmentersRequest

from services.common.storage.config import StoreConfig
from services.common.storage.s3 import S3Store
from tests.integration.services.conftest import stack
from tests.support.stalling import how_segment_ends, stalling_store
from tests.support.way import Way

DEADLINE_S, READ_S = 2.0, 3.0


@dataclass(frozen=True)
class Stack:
    """All services over an S3 store, and the way to it."""

    client: Client
    way: Way

    def segment(self, seed: int, seconds: float = 30) -> str:
        """How a Segment ends."""
        return how_segment_ends(self.client, seed, seconds)


@pytest.fixture
def stalling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stalling_store(tmp_path_factory.mktemp("weed")) as (server, way):
        config = replace(StoreConfig.from_env(server.settings), read_seconds=READ_S)
        with stack(S3Store(config), tmp_path_factory.mktemp("s")) as client:
            yield Stack(client, way)


def test_callers_of_a_stalled_store_are_answered_in_time_and_then_it_goes_on(stalling: Stack) -> None:
    assert stalling.segment(0) == "computed"
    stalling.way.hold()
    begin = time.monotonic()
    with ThreadPoolExecutor(32) as callers:
        ended = list(callers.map(lambda seed: stalling.segment(seed, DEADLINE_S), range(32)))  # of seed 0: is stored
    assert time.monotonic() - begin < DEADLINE_S + 1
    assert set(ended) <= {"DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
    begin = time.monotonic()
    stalling.client.segmentation.ListSegmenters(ListSegmentersRequest(), timeout=5)
    assert time.monotonic() - begin < 1  # what needs no store is answered
    stalling.way.let_go()
    assert stalling.segment(0, 5) == "stored"
    assert stalling.segment(99, 5) == "computed"


def test_a_caller_with_much_time_is_told_that_the_store_does_not_answer(stalling: Stack) -> None:
    assert stalling.segment(0) == "computed"
    stalling.way.hold()
    assert stalling.segment(1, 60) == "UNAVAILABLE"
    stalling.way.let_go()
    assert stalling.segment(1, 5) == "computed"
