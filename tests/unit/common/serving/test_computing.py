"""Who is let in to computing threads, and who is told at once that it would be too late."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry

from services.common.errors import ImageTooLarge, Overloaded, ShuttingDown
from services.common.serving.computing import Computing
from services.common.serving.deadline import DEADLINE
from services.common.serving.load_metrics import LoadMetrics
from services.common.serving.workers import Workers


async def _within(computing: Computing, seconds: float | None, takes: float, ran: list[float] | None = None) -> None:
    """Compute for `takes` seconds, for a caller who waits at most `seconds`, as gRPC has it."""
    DEADLINE.set(None if seconds is None else time.monotonic() + seconds)

    def work() -> None:
        if ran is not None:
            ran.append(time.monotonic())
        time.sleep(takes)

    async with asyncio.timeout(seconds):
        await computing.run("generate", 100, work)


def test_without_a_deadline_everybody_waits_his_turn() -> None:
    async def main() -> None:
        with Workers(1) as workers:
            computing = Computing(workers)
            await asyncio.gather(*(_within(computing, None, 0.01) for _ in range(20)))

    asyncio.run(main())


def test_an_idle_thread_takes_even_what_seems_too_long() -> None:
    async def main() -> None:
        with Workers(1) as workers:
            computing = Computing(workers)
            await _within(computing, None, 0.3)
            await _within(computing, 0.2, 0.0)  # of the same kind, and done sooner than expected

    asyncio.run(main())


def test_who_would_be_too_late_is_refused_at_once_with_the_time_to_come_again() -> None:
    async def main() -> None:
        with Workers(1) as workers:
            computing = Computing(workers)
            await _within(computing, None, 0.2)
            running = [asyncio.ensure_future(_within(computing, None, 0.2)) for _ in range(3)]
            await asyncio.sleep(0.01)
            begin = time.monotonic()
            with pytest.raises(Overloaded, match="3 computations come first") as refused:
                await _within(computing, 0.3, 0.2)
            assert time.monotonic() - begin < 0.1
            assert refused.value.retry_seconds is not None
            assert 0.3 < refused.value.retry_seconds < 0.8
            await asyncio.gather(*running)

    asyncio.run(main())


def test_those_who_are_refused_are_told_to_come_again_one_after_the_other() -> None:
    async def main() -> list[float]:
        told = []
        with Workers(1) as workers:
            computing = Computing(workers)
            await _within(computing, None, 0.1)
            running = asyncio.ensure_future(_within(computing, None, 0.1))
            await asyncio.sleep(0.01)
            for _ in range(5):
                with pytest.raises(Overloaded) as refused:
                    await _within(computing, 0.05, 0.1)
                assert refused.value.retry_seconds is not None
                told.append(refused.value.retry_seconds)
            await running
        return told

    told = asyncio.run(main())
    assert all(later - earlier > 0.05 for earlier, later in pairwise(told))


def test_under_five_times_the_load_threads_work_for_those_who_still_wait_and_everybody_is_answered() -> None:
    """2 threads, 20 ms each: 100 a second are possible; 500 a second come, each with 150 ms."""

    async def main() -> Counter[str]:
        ended = Counter[str]()
        with Workers(2, max_waiting=1000) as workers:
            computing = Computing(workers)
            await _within(computing, None, 0.02)

            async def call() -> None:
                try:
                    await _within(computing, 0.15, 0.02)
                    ended["in time"] += 1
                except Overloaded:
                    ended["refused"] += 1
                except TimeoutError:
                    ended["late"] += 1

            async with asyncio.TaskGroup() as calls:
                for _ in range(500):
                    calls.create_task(call())
                    await asyncio.sleep(0.002)
        return ended

    ended = asyncio.run(main())
    assert ended.total() == 500
    # How many are in time depends on the machine; that most of what is begun is of use to somebody does not.
    assert ended["in time"] > 2 * ended["late"]


def test_calls_that_come_in_the_same_moment_are_reckoned_one_after_the_other() -> None:
    """2 threads, 0.1 s each, 0.25 s of time: about four of them can be in time."""

    async def main() -> Counter[str]:
        with Workers(2) as workers:
            computing = Computing(workers)
            await _within(computing, None, 0.1)
            calls = [asyncio.ensure_future(_within(computing, 0.25, 0.1)) for _ in range(20)]
            ended = await asyncio.gather(*calls, return_exceptions=True)
        return Counter(type(one).__name__ for one in ended)

    ended = asyncio.run(main())
    assert ended["Overloaded"] >= 15
    assert ended["NoneType"] >= 1


def test_what_is_abandoned_counts_until_its_thread_is_free() -> None:
    registry, release = CollectorRegistry(), threading.Event()

    def running() -> float | None:
        return registry.get_sample_value("biosynth_computations_running")

    async def main() -> None:
        with Workers(1) as workers:
            computing = Computing(workers, LoadMetrics(registry))
            await _within(computing, None, 0.1)
            left = asyncio.ensure_future(computing.run("generate", 100, lambda: release.wait(5)))
            await asyncio.sleep(0.02)
            left.cancel()
            await asyncio.sleep(0.02)
            assert running() == 1
            with pytest.raises(Overloaded, match="1 computations come first"):
                await _within(computing, 0.11, 0.1)
            release.set()
            await _within(computing, None, 0.0)
            assert running() == 0

    asyncio.run(main())


def test_a_burst_of_refusals_is_not_remembered_for_minutes() -> None:
    async def main() -> float | None:
        with Workers(1) as workers:
            computing = Computing(workers)
            await _within(computing, None, 0.5)
            running = asyncio.ensure_future(_within(computing, None, 0.5))
            await asyncio.sleep(0.01)
            for _ in range(1000):
                with pytest.raises(Overloaded):
                    await _within(computing, 0.1, 0.5)
            await running
            return computing._next_return - time.monotonic()

    assert (asyncio.run(main()) or 0) < 31


def test_computations_wait_for_memory_though_threads_are_free() -> None:
    async def main() -> int:
        now, most = 0, 0

        def work() -> None:
            nonlocal now, most
            now += 1
            most = max(most, now)
            time.sleep(0.02)
            now -= 1

        with Workers(8) as workers:
            computing = Computing(workers, memory=1000)
            await asyncio.gather(*(computing.run("generate", 100, work, memory=400) for _ in range(12)))
        return most

    assert asyncio.run(main()) == 2


def test_what_would_never_fit_is_refused_with_what_there_is() -> None:
    async def main() -> None:
        with Workers(1) as workers:
            computing = Computing(workers, memory=2**30)
            with pytest.raises(ImageTooLarge, match=r"at most 1024 MiB, .* 50000000 pixels takes about 2048 MiB"):
                await computing.run("generate", 50_000_000, int, memory=2**31)

    asyncio.run(main())


def test_a_caller_who_leaves_does_not_free_memory_that_his_thread_still_uses() -> None:
    async def main() -> None:
        release = threading.Event()
        with Workers(2) as workers:
            computing = Computing(workers, memory=100)
            left = asyncio.ensure_future(computing.run("generate", 1, lambda: release.wait(5), memory=80))
            await asyncio.sleep(0.02)
            left.cancel()
            then = asyncio.ensure_future(computing.run("generate", 1, int, memory=80))
            await asyncio.sleep(0.05)
            assert not then.done()
            release.set()
            assert await then == 0

    asyncio.run(main())


def test_the_wait_is_reckoned_by_memory_where_that_is_scarcer_than_threads() -> None:
    async def main() -> None:
        with Workers(8) as workers:
            computing = Computing(workers, memory=100)

            async def call(seconds: float | None) -> None:
                DEADLINE.set(None if seconds is None else time.monotonic() + seconds)
                await computing.run("generate", 100, lambda: time.sleep(0.1), memory=100)

            await call(None)
            running = [asyncio.ensure_future(call(None)) for _ in range(4)]
            await asyncio.sleep(0.01)
            with pytest.raises(Overloaded, match=r"4 computations come first, about 0\.4 s of work"):
                await call(0.3)
            await asyncio.gather(*running)

    asyncio.run(main())


def test_what_is_cancelled_while_it_waits_never_runs() -> None:
    async def main() -> list[float]:
        ran: list[float] = []
        release = threading.Event()
        with Workers(1) as workers:
            computing = Computing(workers)
            first = asyncio.ensure_future(computing.run("generate", 100, lambda: release.wait(5)))
            await asyncio.sleep(0.01)
            with pytest.raises(TimeoutError):
                await _within(computing, 0.05, 0.0, ran)
            release.set()
            await first
        return ran

    assert asyncio.run(main()) == []


def test_at_the_end_those_are_refused_at_once_who_would_not_be_done_in_time() -> None:
    async def main() -> Counter[str]:
        ended = Counter[str]()
        with Workers(2) as workers:
            computing = Computing(workers)
            await _within(computing, None, 0.2)

            async def call() -> None:
                try:
                    await _within(computing, None, 0.2)
                    ended["done"] += 1
                except ShuttingDown:
                    ended["refused"] += 1

            async with asyncio.TaskGroup() as calls:
                tasks = [calls.create_task(call()) for _ in range(10)]
                await asyncio.sleep(0.05)
                computing.drain(0.5)
                await asyncio.sleep(0.05)
                assert sum(task.done() for task in tasks) == ended["refused"]  # now, not when their turn comes
        return ended

    ended = asyncio.run(main())
    assert ended.total() == 10
    assert 2 <= ended["done"] <= 6


def test_at_the_very_end_those_who_run_are_refused_too() -> None:
    async def main() -> None:
        with Workers(1) as workers:
            computing = Computing(workers)
            calls = [asyncio.ensure_future(_within(computing, None, 0.2)) for _ in range(2)]
            await asyncio.sleep(0.02)
            computing.drain(0)
            assert [type(error) for error in await asyncio.gather(*calls, return_exceptions=True)] == [ShuttingDown] * 2

    asyncio.run(main())


def test_a_caller_who_leaves_is_not_told_that_the_server_ends() -> None:
    async def main() -> None:
        with Workers(1) as workers:
            computing = Computing(workers)
            call = asyncio.ensure_future(_within(computing, None, 0.1))
            await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    asyncio.run(main())


def test_metrics_tell_of_what_waits_runs_is_refused_and_abandoned() -> None:
    registry = CollectorRegistry()

    def value(name: str, **labels: str) -> float:
        return registry.get_sample_value(f"biosynth_{name}", labels) or 0.0

    async def main() -> None:
        with Workers(1) as workers:
            computing = Computing(workers, LoadMetrics(registry))
            await _within(computing, None, 0.05)
            running, waiting = (asyncio.ensure_future(_within(computing, None, 0.2)) for _ in range(2))
            await asyncio.sleep(0.05)
            assert (value("computations_running"), value("computations_waiting")) == (1, 1)
            with pytest.raises(Overloaded):
                await _within(computing, 0.02, 0.05)
            waiting.cancel()
            await running

    asyncio.run(main())
    assert (value("computations_running"), value("computations_waiting")) == (0, 0)
    assert value("computations_refused_total", operation="generate", reason="late") == 1
    assert value("computations_abandoned_total", operation="generate") == 1
    assert value("computation_wait_seconds_count", operation="generate") == 2
