"""SIGTERM, as batch systems and Kubernetes send it: a command ends as by Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@contextmanager
def terminable() -> Iterator[None]:
    """While open, SIGTERM raises Terminated in the main thread; elsewhere signals cannot be caught."""
    # Without a handler a command would leave its temporary files, and as a container's first process not end at all.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
