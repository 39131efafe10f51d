"""One computation for all who ask for the same thing at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(eq=False)
class _Flight:
    task: asyncio.Future[Any]
    waiting: int = 0


class Flights:
    """Computations under way, by what they are of. For one event loop."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight] = {}

    async def join(self, key: str, start: Callable[[], Awaitable[T]]) -> T:
        """The result of `start`, or of the computation of this key that is under way already.

        Waiting takes no thread. Where a waiting task is cancelled, the others' computation goes on; once nobody waits
        any more, it is cancelled. Raises what the computation raises, to all who wait.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.ensure_future(start()))
        flight.waiting += 1
        try:
            result: T = await asyncio.shield(flight.task)
            return result
        finally:
            flight.waiting -= 1
            if flight.task.done() or not flight.waiting:
                self._end(key, flight)

    def _end(self, key: str, flight: _Flight) -> None:
        # Forgotten at once: who comes now starts anew, and does not join what is being cancelled.
        if self._flights.get(key) is flight:
            del self._flights[key]
        flight.task.cancel()
