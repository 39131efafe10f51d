"""A line now and then of how far long work is, where no terminal shows a bar: for logs of jobs."""

from __future__ import annotations

import sys
import time

from services.cli.console import Console


class Pace:
    """Tells at most every so many seconds how much is done and how long the rest will take.

    total: how many there are to do now. unit: of what, in the plural.
    """

    def __init__(self, console: Console, total: int, unit: str, every_s: float = 30.0) -> None:
        self._console, self._total, self._unit, self._every_s = console, total, unit, every_s
        self._begin = self._told = time.monotonic()
        self._done = 0

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        now = time.monotonic()
        if sys.stderr.isatty() or now - self._told < self._every_s:
            return
        self._told = now
        left = (now - self._begin) / self._done * (self._total - self._done)
        self._console.say(f"{self._done} of {self._total} {self._unit}; {left:.0f} s left")
