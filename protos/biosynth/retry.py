"""When to try a call again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from biosynth.failures import Failure


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with full jitter, after Brooker, "Exponential Backoff And Jitter" (AWS, 2015).

    The n-th wait is drawn evenly from 0 to min(longest_s, first_s * 2^n), on top of what the server asks for.
    Repeating a call is safe, since the servers answer the same request with the same stored result.
    """

    retries: int = 4
    first_s: float = 0.25
    longest_s: float = 8.0
    draw: Callable[[], float] = random.random  # from [0, 1)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def wait_s(self, retry: int, failure: Failure) -> float:
        """Seconds to wait before retry number `retry`, from 0.

        >>> policy = RetryPolicy(first_s=0.25, longest_s=1.0, draw=lambda: 0.5)
        >>> busy = Failure(error=..., is_passing=True, retry_after_s=2.0)
        >>> [policy.wait_s(retry, busy) for retry in range(4)]
        [2.125, 2.25, 2.5, 2.5]
        """
        return failure.retry_after_s + self.draw() * min(self.longest_s, self.first_s * 2.0**retry)

    def pause(self, retry: int, failure: Failure, deadline: float) -> None:
        """Wait before retry number `retry`; raises the failure's error where trying again is of no use.

        It is of no use where the failure will not pass, the retries are used up, or the wait would reach the deadline.
        """
        wait = self.wait_s(retry, failure)
        if not failure.is_passing or retry >= self.retries or self.clock() + wait >= deadline:
            raise failure.error
        self.sleep(wait)
