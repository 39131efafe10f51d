"""Turns at holding files in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """So many small files in memory at a time, or one large one; first come, first served. Blocking, for threads."""

    def __init__(self, small: int) -> None:
        self._number = small
        self._places = threading.BoundedSemaphore(small)
        # Who waits for places holds it, so that small files do not pass a large one for ever.
        self._gate = threading.Lock()

    @contextmanager
    def small(self) -> Iterator[None]:
        """Take a place."""
        with self._taken(1):
            yield

    @contextmanager
    def large(self) -> Iterator[None]:
        """Take all places; whoever holds one already would wait for himself."""
        with self._taken(self._number):
            yield

    @contextmanager
    def _taken(self, places: int) -> Iterator[None]:
        with self._gate:
            for _ in range(places):
                self._places.acquire()
        try:
            yield
        finally:
            self._places.release(places)
