"""Threads that compute, and the decision at the door whether a call can be answered in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from services.common.errors import Overloaded, ShuttingDown
from services.common.serving.deadline import seconds_left
from services.common.serving.workers import Workers

T = TypeVar("T")

# Of a kind's expected seconds, what its latest duration counts for.
_LATEST = 0.2
# Estimates err: what would be in time by a hair is refused.
_MARGIN = 1.15
_LEAST_RETRY_SECONDS, _MOST_RETRY_SECONDS = 0.05, 30.0


@dataclass(eq=False)
class _Entry:
    """A computation that waits or runs: how long it is expected to take, and when it began (None: it waits)."""

    expected: float
    begin: float | None = None
    work: asyncio.Future[Any] | None = None
    refused: bool = False

    def left(self, now: float) -> float:
        return self.expected if self.begin is None else max(0.0, self.expected - (now - self.begin))


class Computing:
    """Computes on a fixed number of threads, first come, first served.

    A call whose deadline would pass before its result is there is refused at once, so that threads work only for
    callers who still wait. How long a call takes is expected by its kind, from how long the last ones took; a kind that
    is not known yet is let in. One that is cancelled while it waits never runs; one that runs ends at its next step.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._entries: dict[_Entry, None] = {}  # in the order in which they came
        self._seconds: dict[Hashable, float] = {}
        self._next_return = 0.0  # when the caller who was refused last was told to come again

    async def run(self, kind: Hashable, function: Callable[[], T]) -> T:
        """Compute in a thread. kind: such as operation and order of size; there should be few.

        Raises what the function raises, and Overloaded, with when to ask again, where it would be too late.
        """
        entry = _Entry(self._seconds.get(kind, 0.0))
        self._admit(entry)

        def timed() -> T:
            entry.begin = time.monotonic()
            return function()

        self._entries[entry] = None
        entry.work = asyncio.ensure_future(self._workers.run(timed))
        try:
            result: T = await entry.work
        except asyncio.CancelledError:
            entry.work.cancel()
            if entry.refused:
                raise ShuttingDown("this server ends before it could compute this; ask again") from None
            raise
        finally:
            del self._entries[entry]
        self._learn(kind, entry)
        return result

    def drain(self, seconds: float) -> None:
        """Refuse those who wait and would not be done in so many seconds; a server that ends has no more time."""
        now, work = time.monotonic(), 0.0
        for entry in self._entries:
            work += entry.left(now)
            if entry.begin is None and entry.work is not None and work / self._workers.threads > seconds:
                entry.refused = True
                entry.work.cancel()

    def _admit(self, entry: _Entry) -> None:
        left = seconds_left()
        if left is None or len(self._entries) < self._workers.threads:
            return
        now = time.monotonic()
        wait = sum(other.left(now) for other in self._entries) / self._workers.threads
        if _MARGIN * (wait + entry.expected) > left:
            raise Overloaded(
                f"{len(self._entries)} computations come first, about {wait:.1f} s of work, and this one takes about "
                f"{entry.expected:.1f} s: it would not be done in the {max(left, 0.0):.1f} s that are left; try again "
                "later, or allow more time",
                retry_seconds=self._return_in(wait, entry.expected, now),
            )

    def _return_in(self, wait: float, expected: float, now: float) -> float:
        """Seconds until a refused caller is to come again: one after the other, as fast as computations are done.

        Were all told the time until now's work is done, they would come at once and be refused again.
        """
        self._next_return = max(now + wait, self._next_return + expected / self._workers.threads)
        return min(max(_LEAST_RETRY_SECONDS, self._next_return - now), _MOST_RETRY_SECONDS)

    def _learn(self, kind: Hashable, entry: _Entry) -> None:
        if entry.begin is not None:
            seconds = time.monotonic() - entry.begin
            known = self._seconds.get(kind, seconds)
            self._seconds[kind] = known + _LATEST * (seconds - known)
