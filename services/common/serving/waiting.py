"""Waiting at start for what other parts of a deployment have yet to make: the store, its bucket, users and models."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from services.common.errors import ConfigError, StoreUnavailable

T = TypeVar("T")

_PAUSE_SECONDS = 1.0
_REPEAT_SECONDS = 15.0  # an unchanged message is repeated, so that the log's end tells why nothing happens
_log = logging.getLogger(__name__)


def wait_until(usable: Callable[[], T], seconds: float) -> T:
    """Return `usable()`, tried again until it no longer raises; log what it waits for.

    Raises the last ConfigError or StoreUnavailable after `seconds`, at once for 0; other errors at once.
    """
    begin, said, said_at = time.monotonic(), "", 0.0
    while True:
        try:
            return usable()
        except (ConfigError, StoreUnavailable) as error:
            now = time.monotonic()
            left = begin + seconds - now
            if left <= 0:
                raise
            if error.message != said or now - said_at > _REPEAT_SECONDS:
                said, said_at = error.message, now
                _log.warning("waiting for %.0f more seconds: %s", left, error.message)
        time.sleep(min(_PAUSE_SECONDS, left))
