"""Whether anybody still waits for the work that this thread does."""

from __future__ import annotations

import threading
from contextvars import ContextVar

# Set by those who hand work to a thread; work that nobody watches over is never abandoned.
ABANDONED: ContextVar[threading.Event | None] = ContextVar("ABANDONED", default=None)


class Abandoned(Exception):  # noqa: N818  (what happened to the work, not an error that anybody is answered with)
    """The caller has gone, or had no more time: there is nobody to tell."""


def stop_if_abandoned() -> None:
    """Raise Abandoned where nobody waits any more. To be called between steps that take a second or so."""
    flag = ABANDONED.get()
    if flag is not None and flag.is_set():
        raise Abandoned
