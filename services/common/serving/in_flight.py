"""How many bytes of requests a server holds at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

from services.common.errors import Overloaded


class InFlight:
    """Counts bytes of requests from their arrival to their answer. most: refused is what would go beyond it.

    A request alone is never refused: what one message may have is limited elsewhere. gauge: shows the bytes.
    """

    def __init__(self, most: int, gauge: Gauge | None = None) -> None:
        self._most, self._held = most, 0
        self._gauge = gauge or Gauge("in_flight_bytes", "Shown nowhere.", registry=None)

    @contextmanager
    def held(self, size: int) -> Iterator[None]:
        """Hold a request of so many bytes. Raises Overloaded where there is no room for it."""
        if self._held and self._held + size > self._most:
            raise Overloaded(
                f"{self._held} bytes of requests are in work, of {self._most} that this server holds at a time, and "
                f"this one has {size}; try again later, or upload the file and name its object"
            )
        self._held += size
        self._gauge.inc(size)
        try:
            yield
        finally:
            self._held -= size
            self._gauge.dec(size)
