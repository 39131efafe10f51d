"""Ctrl-C and SIGTERM during a training: it ends after the step at hand, when that is saved."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self


class TrainingInterrupted(KeyboardInterrupt):
    """Someone ended the training; its checkpoint is there. signal: which signal came; step: that it will begin with."""

    def __init__(self, number: int, step: int) -> None:
        super().__init__(f"interrupted after step {step}")
        self.signal, self.step = number, step


class Stop:
    """While open, SIGINT and SIGTERM are noted in `signal` instead of obeyed; 0: none came.

    One that comes again is the same: torchrun sends Ctrl-C on to processes that the terminal sent it to. Outside the
    main thread signals cannot be caught, and are left as they are.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._former = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.signal = self.signal or number
