"""Messages from a worker thread as a stream of the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from biosynth.v1.types_pb2 import Steps

from services.common.progress import LISTENER, Listener

T = TypeVar("T")
_LEAST_SECONDS = 0.25  # between two messages of how far the work is


async def followed(work: Callable[[], Awaitable[T]]) -> AsyncIterator[tuple[Steps | None, T | None]]:
    """Yield how far `work` is, some times a second at most, and last what it returns; raise what it raises.

    Where the caller leaves early, `work` is cancelled.
    """

    async def listening(tell: Callable[[tuple[Steps | None, T | None]], None]) -> None:
        LISTENER.set(_seldom(lambda done, total: tell((Steps(done=done, total=total), None))))
        tell((None, await work()))

    async for event in told_by(listening):
        yield event


def _seldom(listener: Listener) -> Listener:
    told = -_LEAST_SECONDS

    def tell(done: int, total: int) -> None:
        nonlocal told
        if (now := time.monotonic()) >= told + _LEAST_SECONDS:
            told = now
            listener(done, total)

    return tell


async def told_by(work: Callable[[Callable[[T], None]], Awaitable[None]]) -> AsyncIterator[T]:
    """Yield what `work` tells, from whatever thread, by the function that it is given; raise what it raises.

    Where the caller leaves early, `work` is cancelled.
    """
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[T | None]()
    task = asyncio.ensure_future(work(lambda message: _put(loop, queue, message)))
    task.add_done_callback(lambda _: queue.put_nowait(None))  # after all that it told, which came the same way
    try:
        while (message := await queue.get()) is not None:
            yield message
        await task
    finally:
        task.cancel()


def _put(loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[T | None], message: T) -> None:
    loop.call_soon_threadsafe(queue.put_nowait, message)
