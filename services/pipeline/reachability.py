"""Whether the services that the pipeline calls answer: a wrong endpoint shows before the first run fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.serving.channels import open_channel
from services.common.serving.config import EndpointsConfig

CALLED = ("segmentation", "reference", "generation")
PAUSE_SECONDS = 15.0
_ANSWER_SECONDS = 10.0
_log = logging.getLogger(__name__)


async def all_answer(endpoints: EndpointsConfig) -> AsyncIterator[bool]:
    """Yield whether all services answer, at the first answers and with each change; log those that do not, repeatedly.

    The pipeline serves meanwhile: upload and download links need no other service, and its restart would not help.
    """
    changes = asyncio.Queue[tuple[str, bool]]()
    watches = [asyncio.ensure_future(_watch(name, endpoints, changes)) for name in CALLED]
    answering: dict[str, bool] = {}
    told = None
    try:
        while True:
            name, answering[name] = await changes.get()
            able = all(answering.values())
            if able is not told and (len(answering) == len(CALLED) or not able):
                told = able
                yield able
    finally:
        for watch in watches:
            watch.cancel()


async def _watch(name: str, endpoints: EndpointsConfig, changes: asyncio.Queue[tuple[str, bool]]) -> None:
    target, variable = getattr(endpoints, name), f"BIOSYNTH_{name.upper()}_ENDPOINT"
    able: bool | None = None
    async with open_channel(target, endpoints.caller) as channel:
        while True:
            former, problem = able, await _problem(channel, f"biosynth.v1.{name.capitalize()}Service")
            able = not problem
            if problem:
                _log.warning("%s: %s does not answer: %s", variable, target, problem)
            if able != former:
                changes.put_nowait((name, able))
                if able:
                    _log.info("%s: %s answers", variable, target)
            await asyncio.sleep(PAUSE_SECONDS)


async def _problem(channel: grpc.aio.Channel, service: str) -> str:
    """What keeps a service from answering; empty where it is SERVING."""
    request = health_pb2.HealthCheckRequest(service=service)
    try:
        answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=_ANSWER_SECONDS)
    except grpc.aio.AioRpcError as error:
        return f"{error.code().name} {error.details()}"
    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    return "" if serving else str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
