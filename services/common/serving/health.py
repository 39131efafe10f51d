"""The service grpc.health.v1, such that its endless calls do not hold up a drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from grpc_health.v1 import health, health_pb2

from services.common.errors import NoSuchCall, UnknownName
from services.common.serving.status import abort, status_of

_LONGEST_NAME = 200


class Health(health.aio.HealthServicer):  # type: ignore[misc] # shipped without types
    """Health per service; watches, which are endless calls, end when the server drains."""

    def __init__(self) -> None:
        super().__init__()
        self._watches: set[asyncio.Future[None]] = set()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - the contract's name
        """The status of a service; NOT_FOUND for a name that is none of this server's."""
        if request.service not in self._server_status:
            await _refuse_name(context)
        return await super().Check(request, context)

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802 - the contract's name
        """Send each change of status until the caller leaves or the server drains."""
        if len(request.service) > _LONGEST_NAME:  # the watch keeps it in memory
            await _refuse_name(context)
        watch = asyncio.ensure_future(super().Watch(request, context))
        self._watches.add(watch)
        try:
            await asyncio.wait({watch})
        finally:
            self._watches.discard(watch)
            watch.cancel()

    async def List(self, request: Any, context: Any) -> None:  # noqa: N802, ARG002 - the contract's name and arguments
        """Refuse: health needs no token, so it tells about a named service, but lists none."""
        await abort(context, status_of(NoSuchCall("expected Check or Watch of one service, got List")))

    @asynccontextmanager
    async def following(self, service: str, follow: Callable[[], AsyncIterator[bool]] | None) -> AsyncIterator[None]:
        """While open, say SERVING for a service where `follow` last yielded True; None: always.

        The process, whose name is empty, is SERVING all the while: a restart would not bring back what others lack.
        """
        await self._say(service, follow is None)
        task = asyncio.ensure_future(self._follow(service, follow)) if follow else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()

    async def _follow(self, service: str, follow: Callable[[], AsyncIterator[bool]]) -> None:
        async for able in follow():
            await self._say(service, able)

    async def _say(self, service: str, able: bool) -> None:
        status = health_pb2.HealthCheckResponse
        await self.set(service, status.SERVING if able else status.NOT_SERVING)

    async def drain(self) -> None:
        """Say NOT_SERVING for all services from now on, and end the watches once they have sent it."""
        await self.enter_graceful_shutdown()
        if self._watches:
            await asyncio.sleep(0.05)  # time for the watches to send it
        for watch in self._watches:
            watch.cancel()


async def _refuse_name(context: Any) -> None:
    """With details also on the health port, which has no interceptors; it tells nobody which names there are."""
    text = (
        "expected the full name of a service of this server, such as biosynth.v1.PipelineService, or none; got another"
    )
    await abort(context, status_of(UnknownName(text)))
