"""A server in a thread of its own, for programs that are not asynchronous: the embedded default and the tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def in_background(start: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """Enter `start()` on an event loop in a new thread, yield what it yields, and leave it at the end.

    `start` is called on that loop, so it may open grpc.aio channels: `in_background(lambda: running(config, [...]))`.
    Raises what start-up raises.
    """
    ready: Future[tuple[T, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def main() -> None:
        stop = asyncio.Event()
        async with start() as value:
            ready.set_result((value, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            if ready.done():
                ended.append(error)
            else:
                ready.set_exception(error)

    ended: list[BaseException] = []
    thread = threading.Thread(target=run, name="server", daemon=True)
    thread.start()
    value, loop, stop = ready.result()
    try:
        yield value
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
    if ended:
        raise ended[0]
