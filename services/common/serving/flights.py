"""One computation for all who ask for the same thing at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from services.common.progress import LISTENER, Listener

T = TypeVar("T")


class _Flight:
    """A computation, and of each who waits for it what wants to know how far it is."""

    def __init__(self, start: Callable[[], Awaitable[Any]]) -> None:
        self.waiting: list[Listener | None] = []
        token = LISTENER.set(self._tell)
        self.task = asyncio.ensure_future(start())  # which keeps this context
        LISTENER.reset(token)

    def _tell(self, done: int, total: int) -> None:
        for listener in tuple(self.waiting):
            if listener is not None:
                listener(done, total)


class Flights:
    """Computations under way, by what they are of. For one event loop."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight] = {}

    async def join(self, key: str, start: Callable[[], Awaitable[T]]) -> T:
        """The result of `start`, or of the computation of this key that is under way already.

        Waiting takes no thread. Where a waiting task is cancelled, the others' computation goes on; once nobody waits
        any more, it is cancelled. All who wait are told its steps. Raises what the computation raises, to all who wait.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(start)
        listener = LISTENER.get()
        flight.waiting.append(listener)
        try:
            result: T = await asyncio.shield(flight.task)
            return result
        finally:
            flight.waiting.remove(listener)
            if flight.task.done() or not flight.waiting:
                self._end(key, flight)

    def _end(self, key: str, flight: _Flight) -> None:
        # Forgotten at once: who comes now starts anew, and does not join what is being cancelled.
        if self._flights.get(key) is flight:
            del self._flights[key]
        flight.task.cancel()
