"""How long a caller still waits."""

from __future__ import annotations

import time
from contextvars import ContextVar

# When the caller gives up, on time.monotonic()'s clock; None: never, as far as he has said.
DEADLINE: ContextVar[float | None] = ContextVar("DEADLINE", default=None)


def seconds_left() -> float | None:
    """Seconds until the caller of this task gives up; None: he has set no deadline."""
    deadline = DEADLINE.get()
    return None if deadline is None else deadline - time.monotonic()
