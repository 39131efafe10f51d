"""Messages from a worker thread as a stream of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


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
