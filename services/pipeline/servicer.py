"""PipelineService: the one call that runs the others, and links for upload and download."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial

from biosynth.contract import EXTENSIONS, LINK_SECONDS, is_sha256
from biosynth.v1 import pipeline_pb2, pipeline_pb2_grpc
from biosynth.v1.types_pb2 import Delivery, ObjectRef
from google.protobuf.timestamp_pb2 import Timestamp

from services.common.errors import (
    ContentMismatch,
    InvalidArgument,
    NotImplementedYet,
    ObjectNotFound,
    ObjectTooLarge,
    Unsupported,
    at,
)
from services.common.serving.delivery import deliver, image_planes, segmentation_planes
from services.common.serving.runtime import Runtime
from services.common.serving.server import Context, Service
from services.common.storage.keys import check_readable
from services.pipeline.catalogue import Stubs
from services.pipeline.run import Run

# The deadline where the caller set none: a service that never answers must not hold a run for ever.
MOST_SECONDS = 3600.0


class PipelineServicer(pipeline_pb2_grpc.PipelineServiceServicer):
    """Translates between the contract and the run."""

    def __init__(self, runtime: Runtime, stubs: Stubs) -> None:
        self._runtime, self._stubs = runtime, stubs

    async def Run(self, request: pipeline_pb2.RunRequest, context: Context) -> AsyncIterator[pipeline_pb2.RunResponse]:
        source = request.WhichOneof("source")
        if source is None:
            raise InvalidArgument("expected one of image, reference and scenario; got none", field="source")
        if source == "scenario":
            raise NotImplementedYet(
                "runs from a scenario need the simulator, which this version lacks", missing="scenario"
            )
        left = context.time_remaining()
        seconds = MOST_SECONDS if left is None else min(left, MOST_SECONDS)
        async for response in Run(request, self._stubs, seconds).events():
            if response.HasField("result"):
                await self._runtime.workers.run(self._deliver, response.result, request.delivery)
            yield response

    async def CreateUpload(
        self, request: pipeline_pb2.CreateUploadRequest, context: Context
    ) -> pipeline_pb2.CreateUploadResponse:
        return await self._runtime.workers.run(self._create_upload, request)

    async def CreateDownload(
        self, request: pipeline_pb2.CreateDownloadRequest, context: Context
    ) -> pipeline_pb2.CreateDownloadResponse:
        return await self._runtime.workers.run(self._create_download, request)

    def _deliver(self, result: pipeline_pb2.RunResult, delivery: Delivery.ValueType) -> None:
        """Turn the stages' objects into what the caller asked for."""
        contents = (
            (result.segmentation.segmentation, segmentation_planes),
            (result.segmentation.objects, None),
            (result.reference.reference, image_planes),
            (result.reference.grey, image_planes),
            (result.generation.image, image_planes),
        )
        for content, planes in contents:
            if content.HasField("object"):
                stored = self._runtime.store.head(content.object.key)
                if stored is None:
                    raise ObjectNotFound(f"expected {content.object.key}, made by this run; it was deleted meanwhile")
                content.CopyFrom(deliver(self._runtime.store, stored, delivery, planes))
                if content.HasField("object") and delivery == Delivery.DELIVERY_UNSPECIFIED:
                    content.object.url = self._link(stored.key)

    def _link(self, key: str) -> str:
        """To download an object by; empty where the store makes none."""
        try:
            return self._runtime.store.presign_get(key, LINK_SECONDS)
        except Unsupported:
            return ""

    def _create_upload(self, request: pipeline_pb2.CreateUploadRequest) -> pipeline_pb2.CreateUploadResponse:
        if not is_sha256(request.sha256):
            raise InvalidArgument(
                f"expected sha256 as 64 lower-case hex digits; got {request.sha256!r:.80}", field="sha256"
            )
        if request.extension not in EXTENSIONS:
            raise InvalidArgument(
                f"expected extension among {', '.join(EXTENSIONS)}; got {request.extension!r:.40}", field="extension"
            )
        most = self._runtime.limits.max_bytes
        if request.size_bytes < 1:
            raise InvalidArgument(f"expected size_bytes of 1 or more; got {request.size_bytes}", field="size_bytes")
        if request.size_bytes > most:
            raise ObjectTooLarge(
                f"expected at most {most} bytes; got {request.size_bytes}; crop the image, or bin it",
                field="size_bytes",
                got=request.size_bytes,
                limit=most,
            )
        key = f"inputs/{request.sha256}.{request.extension}"
        response = pipeline_pb2.CreateUploadResponse(object=ObjectRef(key=key, sha256=request.sha256))
        _set_expiry(response.expire_time)
        if self._runtime.store.head(key) is None:
            link = self._runtime.store.presign_put(key, request.size_bytes, request.sha256, LINK_SECONDS)
            response.url = link.url
            response.headers.update(link.headers)
        return response

    def _create_download(self, request: pipeline_pb2.CreateDownloadRequest) -> pipeline_pb2.CreateDownloadResponse:
        with at("object.key"):
            check_readable(request.object.key)
            stored = self._runtime.store.head(request.object.key)
            if stored is None:
                raise ObjectNotFound(f"expected an object at {request.object.key}; there is none")
        if request.object.sha256 not in ("", stored.sha256):
            raise ContentMismatch(
                f"expected {request.object.key} to have SHA-256 {request.object.sha256[:80]}; got {stored.sha256}",
                field="object.sha256",
                asked=request.object.sha256,
                got=stored.sha256,
            )
        response = pipeline_pb2.CreateDownloadResponse(
            url=self._runtime.store.presign_get(request.object.key, LINK_SECONDS)
        )
        _set_expiry(response.expire_time)
        return response


def _set_expiry(time: Timestamp) -> None:
    time.GetCurrentTime()
    time.seconds += LINK_SECONDS


def pipeline_service(
    runtime: Runtime, stubs: Stubs, follow: Callable[[], AsyncIterator[bool]] | None = None
) -> Service:
    """The service, ready to be added to a server. follow: yields whether the services that a run calls answer."""
    add = pipeline_pb2_grpc.add_PipelineServiceServicer_to_server
    return Service("biosynth.v1.PipelineService", partial(add, PipelineServicer(runtime, stubs)), follow)
