"""How many bytes of requests and replies a server holds at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

from services.common.errors import Overloaded


class InFlight:
    """Counts bytes of requests until they are answered, and of replies until they are gone.

    most: refused is what would go beyond it, but a message alone never is: what one may have is limited elsewhere.
    gauge: shows the bytes.
    """

    def __init__(self, most: int, gauge: Gauge | None = None) -> None:
        self._most, self._held = most, 0
        self._gauge = gauge or Gauge("in_flight_bytes", "Shown nowhere.", registry=None)

    @contextmanager
    def held(self, size: int) -> Iterator[None]:
        """Hold a message of so many bytes. Raises Overloaded where there is no room for it."""
        if self._held and self._held + size > self._most:
            raise Overloaded(
                f"{self._held} bytes of requests and replies are in work, of {self._most} that this server holds at a "
                f"time, and this one has {size}; try again later, or let files travel as objects of the store"
            )
        self._held += size
        self._gauge.inc(size)
        try:
            yield
        finally:
            self._held -= size
            self._gauge.dec(size)
