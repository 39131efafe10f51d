"""Several items in work at once."""

from __future__ import annotations

import threading
import time

import pytest

from services.cli.ahead import ahead


def test_results_come_in_order_and_no_more_are_begun_than_threads_and_one() -> None:
    begun, most = set[int](), 0
    taken = 0

    def work(number: int) -> int:
        nonlocal most
        begun.add(number)
        most = max(most, len(begun) - taken)
        time.sleep(0.01 if number % 2 else 0.0)
        return number * number

    for place, result in enumerate(ahead(work, range(20), threads=2)):
        assert result == place * place
        taken += 1
    assert most <= 4  # of which one is in the hands of whoever takes it


def test_an_error_comes_at_its_turn_and_what_waits_is_dropped() -> None:
    stop, done = threading.Event(), list[int]()

    def work(number: int) -> int:
        if number == 1:
            raise ValueError("one")
        stop.wait(0.05)
        done.append(number)
        return number

    results = ahead(work, range(100), threads=1)
    assert next(results) == 0
    with pytest.raises(ValueError, match="one"):
        next(results)
    assert max(done) <= 3
