"""How many calls a server works on at a time."""

from __future__ import annotations

from typing import Any

from services.common.errors import Overloaded
from services.common.serving.auth import HEALTH
from services.common.serving.interceptors import Around, Call, Context, Continue, Details, Handler, Refusal

# Of a server. gRPC's own limit, of one connection, is above it: streams over that one are reset without a word.
MOST_CALLS = 256
MOST_STREAMS = 4 * MOST_CALLS


class Crowding(Around):
    """Refuses calls while there are MOST_CALLS; those of health are neither refused nor counted."""

    def __init__(self) -> None:
        self._calls = 0

    async def intercept_service(self, continuation: Continue, handler_call_details: Details) -> Handler | None:
        """As Around; a call that comes when there is no room is refused before its request is read."""
        method = handler_call_details.method
        if method.startswith(HEALTH):
            return await continuation(handler_call_details)
        if self._calls >= MOST_CALLS:
            return Refusal(await continuation(handler_call_details), _refuse)
        return await super().intercept_service(continuation, handler_call_details)

    async def around(self, call: Call) -> Any:
        """Count the call; others may have begun while its request was read."""
        if self._calls >= MOST_CALLS:
            await _refuse(None, call.context)
        self._calls += 1
        try:
            return await call.invoke()
        finally:
            self._calls -= 1


async def _refuse(_requests: Any, _context: Context) -> None:
    raise Overloaded(f"{MOST_CALLS} calls are in work, as many as this server takes at a time; try again later")
