"""Threads that compute, and the decision at the door whether a call can be answered in time."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from biosynth.contract import MIB
from prometheus_client import CollectorRegistry

from services.common.errors import BiosynthError, ImageTooLarge, Overloaded, ShuttingDown
from services.common.serving.deadline import seconds_left
from services.common.serving.load_metrics import LoadMetrics
from services.common.serving.room import Room
from services.common.serving.workers import Workers
from services.common.steps import step

T = TypeVar("T")

# Of a kind's expected seconds, what its latest duration counts for.
_LATEST = 0.2
# Estimates err, and err more under load: what would be in time by a hair is refused, else threads work for the late.
_MARGIN = 1.25
_LEAST_RETRY_SECONDS, _MOST_RETRY_SECONDS = 0.05, 30.0


# How long a computation that is abandoned goes on, until its next step.
_STEP_SECONDS = 0.5


@dataclass(eq=False)
class _Entry:
    """A computation: how long it is expected to take, when it came, and when it began (None: it waits).

    share: of the room, which its seconds count for.
    """

    operation: str
    share: float
    expected: float
    came: float
    task: asyncio.Task[Any] | None
    begin: float | None = None
    refused: bool = False
    abandoned: bool = False

    def left(self, now: float) -> float:
        """Seconds for which it will take up all of the room, or as long as it takes up its share of it."""
        left = self.expected if self.begin is None else max(0.0, self.expected - (now - self.begin))
        return self.share * (min(left, _STEP_SECONDS) if self.abandoned else left)


class Computing:
    """Computes on a fixed number of threads and within so much memory, first come, first served.

    A call that others come before, and whose deadline would pass before its result is there, is refused at once, so
    that threads work only for callers who still wait. How long a call takes is expected by its kind, from how long the
    last ones took; a kind that is not known yet is let in. One that is cancelled while it waits never runs; one that
    runs ends at its next step, and takes up its room until then.
    """

    def __init__(self, workers: Workers, metrics: LoadMetrics | None = None, memory: int = sys.maxsize) -> None:
        self._workers, self._metrics = workers, metrics or LoadMetrics(CollectorRegistry())
        # A place more for each thread, whose next work is then at hand, and waits for no turn of the event loop.
        self._room = Room(2 * workers.threads, memory)
        self._entries: dict[_Entry, None] = {}  # of those who wait or run, in the order in which they came
        self._seconds: dict[tuple[str, int], float] = {}
        self._next_return = 0.0  # when the caller who was refused last was told to come again

    async def run(self, operation: str, pixels: int, function: Callable[[], T], memory: int = 0) -> T:
        """Compute in a thread.

        operation: a word of ours; pixels: of the input, by whose order durations are told apart; memory: in bytes.
        Raises what the function raises; Overloaded, with when to ask again, where it would be too late or too many
        wait; ImageTooLarge for more memory than there is; ShuttingDown where `drain` leaves no time.
        """
        kind = (operation, pixels.bit_length())
        share = max(1 / self._workers.threads, memory / max(self._room.memory, 1))
        expected = self._seconds.get(kind, 0.0)
        entry = _Entry(operation, share, expected, time.monotonic(), asyncio.current_task())
        turn = self._asked(entry, pixels, memory)
        try:
            await self._waited(entry, turn, memory)
            result = await self._workers.call(
                partial(self._computed, entry, function), partial(self._ended, entry, memory)
            )
        except asyncio.CancelledError:
            entry.abandoned = True
            if entry.refused and entry.task is not None:
                entry.task.uncancel()
                raise self._refusal(entry, "ending", ShuttingDown("this server ends before this one's turn")) from None
            self._metrics.abandoned.labels(operation).inc()
            raise
        self._learn(kind, entry)
        return result

    def _asked(self, entry: _Entry, pixels: int, memory: int) -> asyncio.Future[None]:
        """The entry's turn, which may have come already. Raises where it is not let in."""
        self._check_memory(entry, pixels, memory)
        self._admit(entry, memory)
        try:
            turn = self._room.ask(memory)
        except Overloaded as error:
            raise self._refusal(entry, "full", error) from None
        self._entries[entry] = None
        self._metrics.waiting.inc()
        return turn

    async def _waited(self, entry: _Entry, turn: asyncio.Future[None], memory: int) -> None:
        try:
            await turn
        except asyncio.CancelledError:
            self._room.withdraw(turn, memory)
            self._forget(entry)
            raise

    def _computed(self, entry: _Entry, function: Callable[[], T]) -> T:
        entry.begin = time.monotonic()
        self._metrics.waiting.dec()
        self._metrics.running.inc()
        self._metrics.wait_seconds.labels(entry.operation).observe(entry.begin - entry.came)
        with step("wait", entry.came):
            pass
        with step("compute"):
            return function()

    def _ended(self, entry: _Entry, memory: int) -> None:
        """No thread works at it any more, whether its caller waited for that or not."""
        self._forget(entry)
        self._room.give_back(memory)

    def _forget(self, entry: _Entry) -> None:
        del self._entries[entry]
        (self._metrics.waiting if entry.begin is None else self._metrics.running).dec()

    def _refusal(self, entry: _Entry, reason: str, error: BiosynthError) -> BiosynthError:
        self._metrics.refused.labels(entry.operation, reason).inc()
        return error

    def drain(self, seconds: float) -> None:
        """Refuse those who wait and would not be done in so many seconds; 0: everybody, also those who run.

        For a server that ends. Many who run side by side take longer than the few from whom durations were learned, so
        twice the time is counted.
        """
        now, work = time.monotonic(), 0.0
        for entry in self._entries:
            work += 2 * entry.left(now)
            late = entry.begin is None and work > seconds
            if entry.task is not None and not entry.abandoned and (late or seconds <= 0):
                entry.refused = True
                entry.task.cancel()

    def _check_memory(self, entry: _Entry, pixels: int, memory: int) -> None:
        if memory > self._room.memory:
            error = ImageTooLarge(
                f"expected a computation that takes at most {self._room.memory // MIB} MiB, what this server has for "
                f"it; input of {pixels} pixels takes about {memory // MIB} MiB; crop or bin an image, make a shard of "
                "fewer, or give the server more memory",
                got=memory,
                limit=self._room.memory,
            )
            raise self._refusal(entry, "memory", error)

    def _admit(self, entry: _Entry, memory: int) -> None:
        left = seconds_left()
        if left is None or (len(self._entries) < self._workers.threads and self._room.is_free_for(memory)):
            return
        now = time.monotonic()
        wait = sum(other.left(now) for other in self._entries)
        if _MARGIN * (wait + entry.expected) > left:
            error = Overloaded(
                f"{len(self._entries)} computations come first, about {wait:.1f} s of work, and this one takes about "
                f"{entry.expected:.1f} s: it would not be done in the {max(left, 0.0):.1f} s that are left; try again "
                "later, or allow more time",
                retry_seconds=self._return_in(wait, entry.left(now), now),
            )
            raise self._refusal(entry, "late", error)

    def _return_in(self, wait: float, takes: float, now: float) -> float:
        """Seconds until a refused caller is to come again: one after the other, as fast as computations are done.

        Were all told the time until now's work is done, they would come at once and be refused again.
        """
        last = now + _MOST_RETRY_SECONDS  # else a burst would be remembered for minutes
        self._next_return = min(max(now + wait, self._next_return + takes), last)
        return max(_LEAST_RETRY_SECONDS, self._next_return - now)

    def _learn(self, kind: tuple[str, int], entry: _Entry) -> None:
        if entry.begin is not None:
            seconds = time.monotonic() - entry.begin
            known = self._seconds.get(kind, seconds)
            self._seconds[kind] = known + _LATEST * (seconds - known)
