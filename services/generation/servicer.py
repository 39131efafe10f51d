"""GenerationService: fetch, generate, store, reply."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, cast

from biosynth.v1 import generation_pb2, generation_pb2_grpc, types_pb2
from prometheus_client import CollectorRegistry, Histogram

from services.common.imaging.images import encode_png
from services.common.packing import pack_tar
from services.common.serving.delivery import check_delivery, deliver, image_planes
from services.common.serving.job import Job
from services.common.serving.load_metrics import BUCKETS
from services.common.serving.model_metrics import ServedModel
from services.common.serving.runtime import Runtime
from services.common.serving.server import Context, Service
from services.common.serving.streams import followed, told_by
from services.common.storage.results import Json, Outcome, Stored
from services.generation.image_order import ImageOrder, image_order
from services.generation.loaded import LoadedModel, LoadedModels
from services.generation.look_source import summary_of
from services.generation.model import ModelDescription
from services.generation.shards import read_shard

FILE, SHARD = "generated.png", "shard.tar"
SHARD_VERSION = 1  # rises whenever the files of a shard change in other ways than images do


class GenerationServicer(generation_pb2_grpc.GenerationServiceServicer):
    """Translates between the contract and the generator."""

    def __init__(self, runtime: Runtime, models: LoadedModels) -> None:
        self._runtime, self._models, self._loading = runtime, models, asyncio.Lock()
        self._seconds = generation_seconds(runtime.metrics.registry)
        runtime.metrics.models.add(self._served)

    async def Generate(
        self, request: generation_pb2.GenerateRequest, context: Context
    ) -> generation_pb2.GenerateResponse:
        return await self._runtime.answer(lambda: self._generate(request))

    async def GenerateWithProgress(
        self, request: generation_pb2.GenerateRequest, context: Context
    ) -> AsyncIterator[generation_pb2.GenerateWithProgressResponse]:
        async for progress, result in followed(lambda: self.Generate(request, context)):
            yield generation_pb2.GenerateWithProgressResponse(progress=progress, result=result)

    async def GenerateShard(
        self, request: generation_pb2.GenerateShardRequest, context: Context
    ) -> AsyncIterator[generation_pb2.GenerateShardResponse]:
        def work(tell: Callable[[generation_pb2.GenerateShardResponse], None]) -> Awaitable[None]:
            return self._runtime.answer(lambda: self._shard(request, tell))

        async for response in told_by(work):
            yield response

    async def ListModels(
        self, request: generation_pb2.ListModelsRequest, context: Context
    ) -> generation_pb2.ListModelsResponse:
        models = [model_message(stored.description) for stored in self._models.shelf.list()]
        return generation_pb2.ListModelsResponse(models=models)

    async def GetModel(
        self, request: generation_pb2.GetModelRequest, context: Context
    ) -> generation_pb2.GetModelResponse:
        stored = self._models.shelf.get(request.name, request.version)
        card = await self._runtime.workers.run(stored.card)
        return generation_pb2.GetModelResponse(model=model_message(stored.description), card=card)

    async def LoadModel(
        self, request: generation_pb2.LoadModelRequest, context: Context
    ) -> generation_pb2.LoadModelResponse:
        async with self._loading:  # a thread for all who ask: others answer calls meanwhile
            loaded = await self._runtime.workers.run(self._models.bring, request.name, request.version)
        return generation_pb2.LoadModelResponse(model=model_message(loaded.stored.description))

    async def UnloadModel(
        self, request: generation_pb2.UnloadModelRequest, context: Context
    ) -> generation_pb2.UnloadModelResponse:
        stored = self._models.shelf.get(request.name, request.version)
        await self._runtime.workers.run(self._models.drop, stored)
        return generation_pb2.UnloadModelResponse()

    def _served(self) -> list[ServedModel]:
        loaded = {(model.stored.description.name, model.stored.description.version) for model in self._models.loaded()}
        known = [stored.description for stored in self._models.shelf.list()]
        return [
            ServedModel("generator", one.name, one.version, one.parameters, (one.name, one.version) in loaded)
            for one in known
        ]

    def _generate(self, request: generation_pb2.GenerateRequest) -> Job[generation_pb2.GenerateResponse]:
        check_delivery(request.delivery)
        model = self._model(request.model, request.model_version)
        order = image_order(request, model, self._runtime)

        def compute() -> Outcome:
            levels = order.levels()
            begin = time.perf_counter()
            made = order.made(levels)
            self._seconds.labels(request.model).observe(time.perf_counter() - begin)
            return Outcome({FILE: encode_png(made.image)}, summary_of(made))

        reply = partial(self._reply, request, order)
        return Job("generate", order.identity, compute, reply, order.pixels, "reference", at_least=order.at_least)

    def _shard(
        self,
        request: generation_pb2.GenerateShardRequest,
        tell: Callable[[generation_pb2.GenerateShardResponse], None],
    ) -> Job[None]:
        """Make a shard, telling of each image and, last, where it is."""
        shard = read_shard(request, self._model(request.model, request.model_version), self._runtime)
        total = len(shard.names)

        def compute() -> Outcome:
            shard.check()
            members: list[tuple[str, bytes]] = []
            for done, files in enumerate(shard.files(), start=1):
                members += files
                tell(generation_pb2.GenerateShardResponse(done=done, total=total))
            return Outcome({SHARD: pack_tar(members)})

        def reply(stored: Stored) -> None:
            made = stored.objects[SHARD]
            ref = types_pb2.ObjectRef(key=made.key, sha256=made.sha256)
            tell(generation_pb2.GenerateShardResponse(done=total, total=total, shard=ref, cached=stored.cached))

        identity: dict[str, Json] = {"images": shard.identity, "layout": SHARD_VERSION}
        return Job("generate-shard", identity, compute, reply, shard.pixels, shard.path, shard.largest, shard.at_least)

    def _model(self, name: str, version: str) -> LoadedModel:
        return self._models.get(self._models.shelf.get(name, version, ("model", "model_version")))

    def _reply(
        self, request: generation_pb2.GenerateRequest, order: ImageOrder, stored: Stored
    ) -> generation_pb2.GenerateResponse:
        model = order.model
        look: Any = stored.summary["look"]  # written by compute, as all of the summary
        return generation_pb2.GenerateResponse(
            image=deliver(self._runtime.store, stored.objects[FILE], request.delivery, image_planes),
            model=model_message(model.stored.description),
            engine=model.engine.name,
            precision=model.engine.precision,
            appearance=types_pb2.Appearance(**look["appearance"]),
            cached=stored.cached,
            look=types_pb2.Look(**look),
            look_origin=order.source.origin,
            drawn_from=str(stored.summary["drawn_from"]),
            warnings=cast("list[str]", stored.summary["warnings"]),
            tiling=request.tiling or generation_pb2.TILING_EXACT,
        )


def generation_seconds(registry: CollectorRegistry) -> Histogram:
    """Time by model in which it made an image; what was stored, refused or abandoned is not counted."""
    return Histogram(
        "biosynth_generation_seconds", "Time in which a model made an image.", ("model",), registry=registry,
        buckets=BUCKETS,
    )  # fmt: skip


def generation_service(runtime: Runtime, models: LoadedModels) -> Service:
    """The service, ready to be added to a server."""
    add = generation_pb2_grpc.add_GenerationServiceServicer_to_server

    async def follow() -> AsyncIterator[bool]:
        yield bool(models.shelf.names())  # without a model there is nothing to generate with

    return Service("biosynth.v1.GenerationService", partial(add, GenerationServicer(runtime, models)), follow)


def model_message(model: ModelDescription) -> generation_pb2.Model:
    """A model as the contract has it."""
    return generation_pb2.Model(
        name=model.name,
        version=model.version,
        schema_name=model.schema_name,
        schema_version=str(model.schema_version),
        sha256=model.sha256,
        halo_px=model.halo_px or 0,
        parameters=model.parameters,
        description=model.description,
    )
