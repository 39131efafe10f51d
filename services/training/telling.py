"""How far a training is: a bar on terminals, a line now and then in logs, and curves for TensorBoard."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

_LINE_SECONDS = 30.0
_LOG_STEPS = 50


class Reporter(Protocol):
    """Tells people how the training goes, as the command line's console does."""

    def say(self, text: str) -> None:
        """Tell something in words."""

    def progress(self, total: int | None, unit: str, initial: int = 0) -> Any:
        """Open a progress bar, a context manager with `update` and `set_postfix`."""


class Telling:
    """Tells of each step; a context manager. curves: a TensorBoard writer."""

    def __init__(
        self, reporter: Reporter, curves: Any, step: int, steps: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reporter, self._curves, self._first, self._steps, self._clock = reporter, curves, step, steps, clock
        self._bar = reporter.progress(steps, "step", step)
        self._begin = self._told = clock()

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def __call__(self, step: int, losses: Mapping[str, float]) -> None:
        """A step, numbered from 0, was done."""
        self._bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()}, refresh=False)
        self._bar.update(1)
        if step % _LOG_STEPS == 0:
            for name, value in losses.items():
                self._curves.add_scalar(name, value, step)
        now = self._clock()
        if not sys.stderr.isatty() and now - self._told >= _LINE_SECONDS:
            self._told = now
            self._reporter.say(self._line(step + 1, losses, now - self._begin))

    def _line(self, done: int, losses: Mapping[str, float], seconds: float) -> str:
        left = seconds / (done - self._first) * (self._steps - done)
        values = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
        return f"step {done} of {self._steps}: {values}; {duration(left)} left"


def duration(seconds: float) -> str:
    """Roughly, for people.

    >>> duration(42.4), duration(200), duration(9000)
    ('42 s', '3 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
