"""Services that answer with rasters, an object store over HTTP, and a server of them all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from biosynth.raster import image_raster, segmentation_raster
from biosynth.v1 import (
    evaluation_pb2,
    evaluation_pb2_grpc,
    generation_pb2,
    generation_pb2_grpc,
    pipeline_pb2,
    pipeline_pb2_grpc,
    reference_pb2,
    reference_pb2_grpc,
    segmentation_pb2,
    segmentation_pb2_grpc,
)
from biosynth.v1.types_pb2 import Content, Delivery, ObjectRef, Schema, SegmentationSummary

from services.common.serving.server import Service

CELLS = np.array([[0, 1], [70_000, 2]], np.int32)
WOUND = np.array([[True, False], [False, False]])
GREY = np.array([[0, 255], [128, 7]], np.uint8)
IMAGE = Content(raster=image_raster(GREY))
SEGMENTED = segmentation_pb2.SegmentResponse(
    segmentation=Content(raster=segmentation_raster({"cells": CELLS, "wound": WOUND})),
    summary=SegmentationSummary(height_px=2, width_px=2, parts=["cells", "wound"], cells=3),
    segmenter=segmentation_pb2.Segmenter(name="cells", version="2"),
    objects=Content(
        file=b"part,label,area_px,touches_border,confidence,solidity\r\n"
        b"cells,1,1,1,0.250,0.5\r\ncells,2,1,1,,1\r\ncells,70000,1,1,1.000,0.75\r\n"
    ),
    warnings=["it is small"],
    unsuitable=["it shows nothing"],
)
RENDERED = reference_pb2.RenderResponse(
    reference=IMAGE, grey=IMAGE, schema=Schema(name="levels7"), tier_limits=[55.5, 95.0], level_pixels=[1, 3]
)
GENERATED = generation_pb2.GenerateResponse(
    image=IMAGE,
    model=generation_pb2.Model(name="fluo-nuclei"),
    engine="onnxruntime-cpu",
    cached=True,
    tiling=generation_pb2.TILING_BLEND,
)


@dataclass
class Script:
    """What the services do and what they saw."""

    failures: list[Exception] = field(default_factory=list)  # each call raises the next of these before anything else
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    segmented: segmentation_pb2.SegmentResponse = field(default_factory=lambda: SEGMENTED)
    events: list[pipeline_pb2.RunResponse | Exception] = field(default_factory=list)
    # What the first runs send, one entry each; all later ones send `events`.
    rounds: list[list[pipeline_pb2.RunResponse | Exception]] = field(default_factory=list)
    frames: list[reference_pb2.SimulateResponse | Exception] = field(default_factory=list)
    comparisons: list[list[evaluation_pb2.CompareSetsResponse | Exception]] = field(default_factory=list)  # a call each
    store_url: str = ""
    pause_seconds: float = 0.0  # after each event of a run
    ended: threading.Event = field(default_factory=threading.Event)  # set where a run is cancelled in its pause

    def see(self, request: Any, context: Any) -> None:
        """Note the call, and fail it where the script says so."""
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        if self.failures:
            raise self.failures.pop(0)


class Segmentation(segmentation_pb2_grpc.SegmentationServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    async def Segment(self, request: segmentation_pb2.SegmentRequest, context: Any) -> segmentation_pb2.SegmentResponse:
        self.script.see(request, context)
        assert request.delivery == Delivery.DELIVERY_RASTER
        return self.script.segmented

    async def SegmentWithProgress(
        self, request: segmentation_pb2.SegmentRequest, context: Any
    ) -> AsyncIterator[segmentation_pb2.SegmentWithProgressResponse]:
        yield segmentation_pb2.SegmentWithProgressResponse(result=await self.Segment(request, context))

    async def ListSegmenters(
        self, request: segmentation_pb2.ListSegmentersRequest, context: Any
    ) -> segmentation_pb2.ListSegmentersResponse:
        self.script.see(request, context)
        return segmentation_pb2.ListSegmentersResponse(segmenters=[segmentation_pb2.Segmenter(name="nuclei")])


class Reference(reference_pb2_grpc.ReferenceServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    async def Render(self, request: reference_pb2.RenderRequest, context: Any) -> reference_pb2.RenderResponse:
        self.script.see(request, context)
        return RENDERED

    async def ListSchemas(
        self, request: reference_pb2.ListSchemasRequest, context: Any
    ) -> reference_pb2.ListSchemasResponse:
        return reference_pb2.ListSchemasResponse(schemas=[Schema(name="levels4"), Schema(name="levels7")])

    async def Simulate(
        self, request: reference_pb2.SimulateRequest, context: Any
    ) -> AsyncIterator[reference_pb2.SimulateResponse]:
        self.script.see(request, context)
        for frame in self.script.frames:
            if isinstance(frame, Exception):
                raise frame
            yield frame


class Generation(generation_pb2_grpc.GenerationServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    async def Generate(self, request: generation_pb2.GenerateRequest, context: Any) -> generation_pb2.GenerateResponse:
        self.script.see(request, context)
        return GENERATED

    async def GenerateWithProgress(
        self, request: generation_pb2.GenerateRequest, context: Any
    ) -> AsyncIterator[generation_pb2.GenerateWithProgressResponse]:
        yield generation_pb2.GenerateWithProgressResponse(result=await self.Generate(request, context))

    async def ListModels(
        self, request: generation_pb2.ListModelsRequest, context: Any
    ) -> generation_pb2.ListModelsResponse:
        return generation_pb2.ListModelsResponse(models=[generation_pb2.Model(name="fluo-nuclei")])

    async def GetModel(self, request: generation_pb2.GetModelRequest, context: Any) -> generation_pb2.GetModelResponse:
        return generation_pb2.GetModelResponse(model=generation_pb2.Model(name=request.name), card="# Card")

    async def GenerateShard(
        self, request: generation_pb2.GenerateShardRequest, context: Any
    ) -> AsyncIterator[generation_pb2.GenerateShardResponse]:
        yield generation_pb2.GenerateShardResponse()

    async def LoadModel(
        self, request: generation_pb2.LoadModelRequest, context: Any
    ) -> generation_pb2.LoadModelResponse:
        return generation_pb2.LoadModelResponse()

    async def UnloadModel(
        self, request: generation_pb2.UnloadModelRequest, context: Any
    ) -> generation_pb2.UnloadModelResponse:
        return generation_pb2.UnloadModelResponse()


class Pipeline(pipeline_pb2_grpc.PipelineServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    async def Run(self, request: pipeline_pb2.RunRequest, context: Any) -> AsyncIterator[pipeline_pb2.RunResponse]:
        self.script.see(request, context)
        for event in self.script.rounds.pop(0) if self.script.rounds else self.script.events:
            if isinstance(event, Exception):
                raise event
            yield event
            try:
                await asyncio.sleep(self.script.pause_seconds)
            except asyncio.CancelledError:
                self.script.ended.set()
                raise

    async def CreateUpload(
        self, request: pipeline_pb2.CreateUploadRequest, context: Any
    ) -> pipeline_pb2.CreateUploadResponse:
        self.script.see(request, context)
        key = f"inputs/{request.sha256}.{request.extension}"
        url = f"{self.script.store_url}/{key}" if self.script.store_url else ""
        headers = {"If-None-Match": "*", "x-amz-meta-sha256": request.sha256}
        return pipeline_pb2.CreateUploadResponse(
            object=ObjectRef(key=key, sha256=request.sha256), url=url, headers=headers
        )

    async def CreateDownload(
        self, request: pipeline_pb2.CreateDownloadRequest, context: Any
    ) -> pipeline_pb2.CreateDownloadResponse:
        return pipeline_pb2.CreateDownloadResponse(url=f"{self.script.store_url}/{request.object.key}")


class Evaluation(evaluation_pb2_grpc.EvaluationServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    async def ComparePair(
        self, request: evaluation_pb2.ComparePairRequest, context: Any
    ) -> evaluation_pb2.ComparePairResponse:
        return evaluation_pb2.ComparePairResponse()

    async def CompareSets(
        self, request: evaluation_pb2.CompareSetsRequest, context: Any
    ) -> AsyncIterator[evaluation_pb2.CompareSetsResponse]:
        for event in self.script.comparisons.pop(0):
            if isinstance(event, Exception):
                raise event
            yield event


def services(script: Script) -> list[Service]:
    """The five services, all on one script."""
    return [
        Service(
            "biosynth.v1.SegmentationService",
            lambda s: segmentation_pb2_grpc.add_SegmentationServiceServicer_to_server(Segmentation(script), s),
        ),
        Service(
            "biosynth.v1.ReferenceService",
            lambda s: reference_pb2_grpc.add_ReferenceServiceServicer_to_server(Reference(script), s),
        ),
        Service(
            "biosynth.v1.GenerationService",
            lambda s: generation_pb2_grpc.add_GenerationServiceServicer_to_server(Generation(script), s),
        ),
        Service(
            "biosynth.v1.PipelineService",
            lambda s: pipeline_pb2_grpc.add_PipelineServiceServicer_to_server(Pipeline(script), s),
        ),
        Service(
            "biosynth.v1.EvaluationService",
            lambda s: evaluation_pb2_grpc.add_EvaluationServiceServicer_to_server(Evaluation(script), s),
        ),
    ]


@dataclass
class ObjectStore:
    """Conditional puts and gets over HTTP, in memory."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    answer: int = 0  # where set: the status of every answer
    lost: int = 0  # bytes at the end of an answer that never come, for the connection ends before them


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """An object store that listens on this machine."""
    store = ObjectStore()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            store.headers.append({name.lower(): value for name, value in self.headers.items()})
            is_there = self.path in store.objects
            if not store.answer:
                store.objects.setdefault(self.path, data)
            self._end(store.answer or (412 if is_there else 200))

        def do_GET(self) -> None:
            data = store.objects.get(self.path)
            self._end(store.answer or (404 if data is None else 200), data or b"")

        def _end(self, status: int, data: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: max(0, len(data) - store.lost)])

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        store.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield store
        finally:
            server.shutdown()
            thread.join()
