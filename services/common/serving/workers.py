"""Threads for blocking work, so that it never runs on the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, Self, TypeVar

from services.common.abandonment import ABANDONED
from services.common.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """A fixed number of threads and a bounded number of waiting calls; a context manager.

    Where the task that awaits `run` is cancelled, a call that still waits is dropped; one that runs is told by
    `stop_if_abandoned`, so it ends at its next step, and its result is lost.
    """

    def __init__(self, threads: int, max_waiting: int = 64, name: str = "worker") -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self.threads, self._limit = threads, threads + max_waiting
        self._pending = 0

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in a thread, with this task's context variables.

        Raises what the function raises, and Overloaded where too many calls already wait.
        """
        return await self.call(partial(function, *args, **kwargs))

    async def call(
        self, function: Callable[[], T], ended: Callable[[], None] = lambda: None, always: bool = False
    ) -> T:
        """As `run`. ended: called on the loop once no thread works at it any more, which is later if cancelled.

        always: it waits however many others do, and is not refused.
        """
        if self._pending >= self._limit and not always:
            raise Overloaded(f"{self._pending} calls are already waiting for a worker; try again later")
        abandoned, context, loop = threading.Event(), contextvars.copy_context(), asyncio.get_running_loop()
        context.run(ABANDONED.set, abandoned)
        future = self._pool.submit(context.run, function)
        future.add_done_callback(lambda _: _on(loop, ended))
        self._pending += 1
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            abandoned.set()
            raise
        finally:
            self._pending -= 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Drop calls that wait, and wait for those that run."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _on(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits for anything any more
        loop.call_soon_threadsafe(function)
