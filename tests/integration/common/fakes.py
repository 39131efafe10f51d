"""Small services that exercise the server and the client without any pixels being computed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc
import grpc.aio
from biosynth.v1 import pipeline_pb2, pipeline_pb2_grpc, segmentation_pb2, segmentation_pb2_grpc

from services.cli.background import in_background
from services.common.serving.config import ServerConfig
from services.common.serving.metrics import Metrics
from services.common.serving.server import Running, Service, running

ANYWHERE = ServerConfig(address="127.0.0.1:0", drain_seconds=5)
Context = Any  # grpc.aio.ServicerContext, whose generated servicer type is that of both kinds of server
Behaviour = Callable[[segmentation_pb2.SegmentRequest, Context], Awaitable[segmentation_pb2.SegmentResponse]]


class FakeSegmentation(segmentation_pb2_grpc.SegmentationServiceServicer):
    """Segment does what the test says."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    async def Segment(
        self, request: segmentation_pb2.SegmentRequest, context: Context
    ) -> segmentation_pb2.SegmentResponse:
        return await self._behaviour(request, context)

    async def SegmentWithProgress(
        self, request: segmentation_pb2.SegmentRequest, context: Context
    ) -> AsyncIterator[segmentation_pb2.SegmentWithProgressResponse]:
        yield segmentation_pb2.SegmentWithProgressResponse(result=await self._behaviour(request, context))

    async def ListSegmenters(
        self, request: segmentation_pb2.ListSegmentersRequest, context: Context
    ) -> segmentation_pb2.ListSegmentersResponse:
        return segmentation_pb2.ListSegmentersResponse(segmenters=[segmentation_pb2.Segmenter(name="nuclei")])


class FakePipeline(pipeline_pb2_grpc.PipelineServiceServicer):
    """Run sends what the test's function yields."""

    def __init__(
        self, events: Callable[[pipeline_pb2.RunRequest, Context], AsyncIterator[pipeline_pb2.RunResponse]]
    ) -> None:
        self._events = events

    async def Run(self, request: pipeline_pb2.RunRequest, context: Context) -> AsyncIterator[pipeline_pb2.RunResponse]:
        async for event in self._events(request, context):
            yield event

    async def CreateUpload(
        self, request: pipeline_pb2.CreateUploadRequest, context: Context
    ) -> pipeline_pb2.CreateUploadResponse:
        return pipeline_pb2.CreateUploadResponse()

    async def CreateDownload(
        self, request: pipeline_pb2.CreateDownloadRequest, context: Context
    ) -> pipeline_pb2.CreateDownloadResponse:
        return pipeline_pb2.CreateDownloadResponse()


def segmentation(behaviour: Behaviour) -> Service:
    """A segmentation service whose Segment does this."""
    return Service(
        "biosynth.v1.SegmentationService",
        lambda server: segmentation_pb2_grpc.add_SegmentationServiceServicer_to_server(
            FakeSegmentation(behaviour), server
        ),
    )


def pipeline(
    events: Callable[[pipeline_pb2.RunRequest, Context], AsyncIterator[pipeline_pb2.RunResponse]],
) -> Service:
    """A pipeline service that sends these events."""
    return Service(
        "biosynth.v1.PipelineService",
        lambda server: pipeline_pb2_grpc.add_PipelineServiceServicer_to_server(FakePipeline(events), server),
    )


async def answers(request: segmentation_pb2.SegmentRequest, context: Context) -> segmentation_pb2.SegmentResponse:
    """Answer at once."""
    return segmentation_pb2.SegmentResponse(cached=True)


async def answers_slowly(
    request: segmentation_pb2.SegmentRequest, context: Context
) -> segmentation_pb2.SegmentResponse:
    """Answer after as many milliseconds as `channel` says."""
    await asyncio.sleep(request.channel / 1000)
    return segmentation_pb2.SegmentResponse(cached=True)


def raises(error: BaseException) -> Behaviour:
    """Raise the error."""

    async def behaviour(request: segmentation_pb2.SegmentRequest, context: Context) -> segmentation_pb2.SegmentResponse:
        raise error

    return behaviour


@asynccontextmanager
async def served(
    service: Service, config: ServerConfig = ANYWHERE, metrics: Metrics | None = None
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server of this service, on the same event loop."""
    async with running(config, [service], metrics) as server, grpc.aio.insecure_channel(server.address) as channel:
        yield channel


@contextmanager
def served_in_background(service: Service, config: ServerConfig = ANYWHERE) -> Iterator[tuple[Running, grpc.Channel]]:
    """A server of this service in a thread, and a channel to it."""
    with (
        in_background(lambda: running(config, [service])) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield server, channel


def stub(channel: grpc.aio.Channel) -> segmentation_pb2_grpc.SegmentationServiceAsyncStub:
    """The segmentation stub of an asynchronous channel."""
    return segmentation_pb2_grpc.SegmentationServiceStub(channel)
