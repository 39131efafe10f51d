"""A call whose result is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.common.serving.memory import COSTS
from services.common.storage.results import Json, Outcome, Stored

R = TypeVar("R")


@dataclass(frozen=True)
class Job(Generic[R]):
    """What is to be found or computed, and the reply that is made of it.

    identity: everything that the outcome depends on; see Results. compute: blocking, for a computing thread; it reads
    what it needs itself, so that a call that waits holds no pixels. reply: blocking, from the stored outcome. pixels:
    of all input, by whose order durations are told apart. largest: pixels of what is in memory at a time; None: all.
    field: of the request, which is to blame where they are too many. at_least: bytes that it takes where that is more
    than its operation takes by its pixels.
    """

    operation: str
    identity: Mapping[str, Json]
    compute: Callable[[], Outcome]
    reply: Callable[[Stored], R]
    pixels: int
    field: str
    largest: int | None = None
    at_least: int = 0

    @property
    def memory(self) -> int:
        """Bytes that computing takes at most, as reckoned."""
        return max(self.at_least, COSTS[self.operation].of(self.pixels if self.largest is None else self.largest))
