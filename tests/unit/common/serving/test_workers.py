"""Threads for blocking work."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from services.common.abandonment import stop_if_abandoned
from services.common.errors import Overloaded
from services.common.serving.logs import REQUEST_ID
from services.common.serving.workers import Workers


def test_work_runs_in_another_thread_with_this_tasks_context() -> None:
    async def main() -> tuple[str, str]:
        REQUEST_ID.set("request-9")
        with Workers(1, name="w") as workers:
            return await workers.run(lambda: (REQUEST_ID.get(), threading.current_thread().name))

    request_id, thread = asyncio.run(main())
    assert request_id == "request-9"
    assert thread.startswith("w")


def test_the_event_loop_goes_on_while_a_worker_blocks() -> None:
    async def main() -> int:
        ticks = 0
        with Workers(1) as workers:
            blocked = asyncio.ensure_future(workers.run(time.sleep, 0.2))
            while not blocked.done():
                await asyncio.sleep(0.01)
                ticks += 1
        return ticks

    assert asyncio.run(main()) > 5


def test_errors_of_the_work_come_out() -> None:
    async def main() -> None:
        with Workers(1) as workers:
            await workers.run(int, "no number")

    with pytest.raises(ValueError, match="no number"):
        asyncio.run(main())


def test_more_waiting_calls_than_allowed_are_refused_at_once() -> None:
    async def main() -> None:
        release = threading.Event()
        with Workers(1, max_waiting=1) as workers:
            calls = [asyncio.ensure_future(workers.run(release.wait, 5)) for _ in range(2)]
            await asyncio.sleep(0)
            try:
                with pytest.raises(Overloaded, match="2 calls"):
                    await workers.run(int)
            finally:
                release.set()
            assert await asyncio.gather(*calls) == [True, True]
            assert await workers.run(int) == 0

    asyncio.run(main())


def test_a_call_that_may_always_wait_is_not_refused() -> None:
    release = threading.Event()

    async def main(workers: Workers) -> int:
        waiting = [asyncio.ensure_future(workers.run(release.wait, 10)) for _ in range(2)]
        await asyncio.sleep(0.05)
        always = asyncio.ensure_future(workers.call(lambda: 7, always=True))
        await asyncio.sleep(0.05)
        release.set()
        await asyncio.gather(*waiting)
        return await always

    with Workers(1, max_waiting=1) as workers:
        assert asyncio.run(main(workers)) == 7


def test_a_cancelled_call_that_waits_never_runs() -> None:
    async def main() -> list[str]:
        ran: list[str] = []
        release = threading.Event()
        with Workers(1) as workers:
            first = asyncio.ensure_future(workers.run(release.wait, 5))
            second = asyncio.ensure_future(workers.run(ran.append, "second"))
            await asyncio.sleep(0.01)
            second.cancel()
            await asyncio.sleep(0)
            release.set()
            await first
        return ran

    assert asyncio.run(main()) == []


def test_a_cancelled_call_that_runs_is_told_and_ends_at_its_next_step() -> None:
    steps: list[int] = []

    def work() -> None:
        for step in range(500):
            stop_if_abandoned()
            steps.append(step)
            time.sleep(0.01)

    async def main() -> float:
        with Workers(1) as workers:
            call = asyncio.ensure_future(workers.run(work))
            await asyncio.sleep(0.05)
            call.cancel()
            begin = time.monotonic()
            assert await workers.run(int) == 0  # the only thread is free again
            return time.monotonic() - begin

    assert asyncio.run(main()) < 1.0
    assert len(steps) < 100


def test_work_that_nobody_watches_over_is_never_abandoned() -> None:
    stop_if_abandoned()
