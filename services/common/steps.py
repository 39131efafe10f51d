"""Steps of a piece of work, told to whoever watches it: metrics and traces, of which the work itself knows nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from typing import TypeAlias

# Is told the step's name and when it began, on time.monotonic()'s clock; its context is open while the step lasts.
Watcher: TypeAlias = Callable[[str, float], AbstractContextManager[object]]
# Set by the server for each call; carried into threads with the other context variables.
WATCHERS: ContextVar[tuple[Watcher, ...]] = ContextVar("WATCHERS", default=())


@contextmanager
def step(name: str, since: float | None = None) -> Iterator[None]:
    """Tell the watchers of a step, such as `decode`: a context, or a decorator of a function.

    since: when it began, on time.monotonic()'s clock, where that was elsewhere; else now.
    """
    begin = time.monotonic() if since is None else since
    with ExitStack() as watched:
        for watch in WATCHERS.get():
            watched.enter_context(watch(name, begin))
        yield
