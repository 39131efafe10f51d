"""The service grpc.health.v1, such that its endless calls do not hold up a drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

_LONGEST_NAME = 200


class Health(health.aio.HealthServicer):  # type: ignore[misc] # shipped without types
    """Health per service; watches, which are endless calls, end when the server drains."""

    def __init__(self) -> None:
        super().__init__()
        self._watches: set[asyncio.Future[None]] = set()

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802 - the contract's name
        """Send each change of status until the caller leaves or the server drains."""
        if len(request.service) > _LONGEST_NAME:  # the watch keeps it in memory
            await context.abort(grpc.StatusCode.NOT_FOUND, "expected the name of a service")
        watch = asyncio.ensure_future(super().Watch(request, context))
        self._watches.add(watch)
        try:
            await asyncio.wait({watch})
        finally:
            self._watches.discard(watch)
            watch.cancel()

    async def List(self, request: Any, context: Any) -> None:  # noqa: N802, ARG002 - the contract's name and arguments
        """Refuse: health needs no token, so it tells about a named service, but lists none."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "expected Check or Watch of one service")

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
