"""How far the work of this thread is, told to those who want to know."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeAlias

# Is told how many steps are done, and how many there are; from whatever thread works.
Listener: TypeAlias = Callable[[int, int], None]
LISTENER: ContextVar[Listener | None] = ContextVar("LISTENER", default=None)


def tell_progress(done: int, total: int) -> None:
    """Say how many of how many steps, such as tiles, are done."""
    listener = LISTENER.get()
    if listener is not None:
        listener(done, total)
