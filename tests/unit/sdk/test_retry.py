"""When a call is tried again."""

from __future__ import annotations

import grpc
import pytest
from biosynth.errors import BiosynthCallError
from biosynth.failures import Failure
from biosynth.retry import RetryPolicy
from hypothesis import given
from hypothesis import strategies as st

ERROR = BiosynthCallError(grpc.StatusCode.UNAVAILABLE, "later")


def policy(waits: list[float], draw: float = 1.0) -> RetryPolicy:
    return RetryPolicy(retries=3, first_s=0.5, longest_s=4.0, draw=lambda: draw, sleep=waits.append, clock=lambda: 0.0)


def test_waits_double_up_to_the_longest() -> None:
    waits: list[float] = []
    for retry in range(3):
        policy(waits).pause(retry, Failure(ERROR, is_passing=True), deadline=100)
    assert waits == [0.5, 1.0, 2.0]
    assert policy([]).wait_s(30, Failure(ERROR, is_passing=True)) == 4.0


@given(draw=st.floats(0, 1, exclude_max=True), retry=st.integers(0, 60), asked=st.floats(0, 30))
def test_a_wait_is_never_shorter_than_the_server_asks_nor_longer_than_the_longest_on_top(
    draw: float, retry: int, asked: float
) -> None:
    wait = policy([], draw).wait_s(retry, Failure(ERROR, is_passing=True, retry_after_s=asked))
    assert asked <= wait <= asked + 4.0


@pytest.mark.parametrize(
    ("retry", "failure", "deadline"),
    [
        (0, Failure(ERROR, is_passing=False), 100.0),
        (3, Failure(ERROR, is_passing=True), 100.0),
        (0, Failure(ERROR, is_passing=True), 0.4),
        (0, Failure(ERROR, is_passing=True, retry_after_s=99.9), 100.0),
    ],
    ids=["lasting", "used up", "no time left", "asked to wait too long"],
)
def test_trying_again_in_vain_is_not_tried(retry: int, failure: Failure, deadline: float) -> None:
    waits: list[float] = []
    with pytest.raises(BiosynthCallError):
        policy(waits).pause(retry, failure, deadline)
    assert waits == []
