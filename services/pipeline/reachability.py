"""Says at start which services the pipeline cannot reach: a wrong endpoint shows before the first run fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.serving.channels import open_channel
from services.common.serving.config import EndpointsConfig

_PAUSE_SECONDS = 15.0
_ANSWER_SECONDS = 10.0
_log = logging.getLogger(__name__)


@asynccontextmanager
async def unreachable_reported(endpoints: EndpointsConfig) -> AsyncIterator[None]:
    """While open, log each service that does not answer, again and again until it does.

    The pipeline serves meanwhile: upload and download links need no other service, and its restart would not help.
    """
    watch = asyncio.gather(*(_watch(name, endpoints) for name in ("segmentation", "reference", "generation")))
    try:
        yield
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


async def _watch(name: str, endpoints: EndpointsConfig) -> None:
    target, variable = getattr(endpoints, name), f"BIOSYNTH_{name.upper()}_ENDPOINT"
    async with open_channel(target, endpoints.caller) as channel:
        while True:
            try:
                await health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=_ANSWER_SECONDS
                )
            except grpc.aio.AioRpcError as error:
                _log.warning("%s: %s does not answer: %s %s", variable, target, error.code().name, error.details())
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                _log.info("%s: %s answers", variable, target)
                return
