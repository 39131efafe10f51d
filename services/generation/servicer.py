"""GenerationService: fetch, generate, store, reply."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, cast

from biosynth.results import tiling_word
from biosynth.v1 import generation_pb2, generation_pb2_grpc, types_pb2
from prometheus_client import CollectorRegistry, Histogram

from services.common.errors import InvalidArgument, NotImplementedYet, at
from services.common.imaging.images import encode_png
from services.common.ranges import check_appearance
from services.common.serving.content import identify, read_reference
from services.common.serving.delivery import check_delivery, deliver, image_planes
from services.common.serving.job import Job
from services.common.serving.load_metrics import BUCKETS
from services.common.serving.memory import COSTS
from services.common.serving.model_metrics import ModelInMemory
from services.common.serving.runtime import Runtime
from services.common.serving.server import Context, Service
from services.common.serving.streams import followed
from services.common.storage.results import Json, Outcome, Stored
from services.generation.generate import ALGORITHM_VERSION, check_levels, generate
from services.generation.loaded import LoadedModel, LoadedModels
from services.generation.look_source import LookSource, look_source, ordered_values, summary_of
from services.generation.model import ModelDescription
from services.generation.tilings import Tiling

FILE = "generated.png"


class GenerationServicer(generation_pb2_grpc.GenerationServiceServicer):
    """Translates between the contract and the generator."""

    def __init__(self, runtime: Runtime, models: LoadedModels) -> None:
        self._runtime, self._models = runtime, models
        self._seconds = generation_seconds(runtime.metrics.registry)
        runtime.metrics.models.add(self._in_memory)

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
        raise NotImplementedYet(
            "shards cannot be generated in this version; call Generate for each reference", missing="shards"
        )
        yield  # type: ignore[unreachable]  # makes this an async generator, as the contract's stream is

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
        raise NotImplementedYet(
            "models are read at start in this version; restart the service after `biosynth push`", missing="hot load"
        )

    async def UnloadModel(
        self, request: generation_pb2.UnloadModelRequest, context: Context
    ) -> generation_pb2.UnloadModelResponse:
        raise NotImplementedYet("models stay loaded in this version", missing="hot unload")

    def _in_memory(self) -> list[ModelInMemory]:
        loaded = [model.stored.description for model in self._models.loaded()]
        return [ModelInMemory("generator", model.name, model.version, model.parameters) for model in loaded]

    def _generate(self, request: generation_pb2.GenerateRequest) -> Job[generation_pb2.GenerateResponse]:
        check_delivery(request.delivery)
        if request.tiling not in generation_pb2.Tiling.values():
            raise InvalidArgument(f"expected a known tiling; got {request.tiling}", field="tiling", got=request.tiling)
        tiling = Tiling(tiling_word(request.tiling))
        stored = self._models.shelf.get(request.model, request.model_version, ("model", "model_version"))
        model, ordered = self._models.get(stored), ordered_values(request.appearance)
        check_appearance(ordered)
        with at("reference"):
            reference = identify(request.reference, self._runtime.store, self._runtime.limits)
            tiling.check(reference.pixels)
        source = look_source(request, self._runtime)

        def compute() -> Outcome:
            description = model.stored.description
            with at("reference"):
                levels, _ = read_reference(
                    reference.content, self._runtime.store, self._runtime.limits, description.schema
                )
                check_levels(levels, description)
            look = source.look(levels, description)
            begin = time.perf_counter()
            made = generate(levels, description, model.engine, request.seed, ordered, look, tiling)
            self._seconds.labels(description.name).observe(time.perf_counter() - begin)
            return Outcome({FILE: encode_png(made.image)}, summary_of(made))

        identity = {**_identity(request, model, ordered, reference.sha256), "look": source.identity}
        reply = partial(self._reply, request, model, source)
        at_least = COSTS["generate-whole"].of(reference.pixels) if tiling is Tiling.WHOLE else 0
        pixels = max(reference.pixels, source.pixels)
        return Job("generate", identity, compute, reply, pixels, "reference", at_least=at_least)

    def _reply(
        self, request: generation_pb2.GenerateRequest, model: LoadedModel, source: LookSource, stored: Stored
    ) -> generation_pb2.GenerateResponse:
        look: Any = stored.summary["look"]  # written by compute, as all of the summary
        return generation_pb2.GenerateResponse(
            image=deliver(self._runtime.store, stored.objects[FILE], request.delivery, image_planes),
            model=model_message(model.stored.description),
            engine=model.engine.name,
            precision=model.engine.precision,
            appearance=types_pb2.Appearance(**look["appearance"]),
            cached=stored.cached,
            look=types_pb2.Look(**look),
            look_origin=source.origin,
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


def _identity(
    request: generation_pb2.GenerateRequest, model: LoadedModel, ordered: dict[str, float], reference: str
) -> dict[str, Json]:
    return {
        "reference": reference,
        "model": model.stored.fingerprint,
        "seed": request.seed,
        "tiling": tiling_word(request.tiling),
        "appearance": {**ordered},
        "engine": model.engine.name,
        "precision": model.engine.precision,
        "version": ALGORITHM_VERSION,
    }
