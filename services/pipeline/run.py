"""One pass of the pipeline: plan, segment, render, generate; each stage a call to its service."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc.aio
from biosynth.v1 import generation_pb2, reference_pb2, segmentation_pb2
from biosynth.v1.pipeline_pb2 import LookSource, RunRequest, RunResponse, RunResult, Stage, StageProgress
from biosynth.v1.types_pb2 import Content, Delivery, Steps

from services.common.errors import NoFittingModel
from services.common.serving.status import Answered, renamed, status_of
from services.common.sought import two_channels
from services.pipeline.catalogue import Stubs, ask
from services.pipeline.checks import check_run
from services.pipeline.plan import (
    ModelFacts,
    Plan,
    Wish,
    for_drawing,
    for_two_channels,
    make_plan,
    segmentation_plan,
    wished_models,
)

# Fields of the called services' requests, by those of a run's that they come from.
_FIELDS = {"like.image": "image", "like.channel": "channel", "schema_name": "schema"}
_FIELDS_OF_TWO_CHANNELS = {**_FIELDS, "like.channel": "cells_channel", "channel": "cells_channel"}
# For the answer to be on its way before the caller gives up.
_REPLY_SECONDS = 0.1
# What the services are asked for: the next one fetches it itself.
_OBJECT = Delivery.DELIVERY_OBJECT


@dataclass(frozen=True)
class Run:
    """What a run was asked for, and the services that it calls."""

    request: RunRequest
    stubs: Stubs
    seconds: float  # until the caller gives up, counted from when this is made
    came: float = field(default_factory=time.monotonic)

    async def events(self) -> AsyncIterator[RunResponse]:
        """Yield progress by stage, and the result last, its pixels as objects of the store.

        Raises UnknownName, NoFittingModel or MissingPart before any work where the wish cannot be met.
        """
        result = RunResult()
        check_run(self.request)
        from_image = self.request.HasField("image")
        async for response in self._from_image(result) if from_image else self._from_reference(result):
            yield response
        yield RunResponse(result=result)

    @property
    def _left(self) -> float:
        """Seconds that a call to a service has: fewer than the caller, who is then told which one did not answer."""
        return max(0.0, self.seconds - (time.monotonic() - self.came) - _REPLY_SECONDS)

    @property
    def _channel(self) -> int | None:
        """The one whose look and whose cells' brightness count; None: the image has one only."""
        both = two_channels(self.request)
        if both is not None:
            return both.cells
        return self.request.channel if self.request.HasField("channel") else None

    async def _from_image(self, result: RunResult) -> AsyncIterator[RunResponse]:
        yield _begun(Stage.STAGE_PLAN, "choosing what fits")
        start = time.monotonic()
        plan = await self._plan()
        yield _ended(Stage.STAGE_PLAN, start)
        found, drawn, made = result.segmentation, result.reference, result.generation
        segment = partial(self._segment, plan)
        async for response in self._stage(Stage.STAGE_SEGMENT, f"segmenter {plan.segmenter}", segment, found):
            yield response
        if self.request.last_stage == Stage.STAGE_SEGMENT or (self.request.stop_if_unsuitable and found.unsuitable):
            return
        model = plan.models[found.segmenter.name]
        about = f"schema {model.schema}, since segmenter {found.segmenter.name} ran"
        draw = partial(self._render, found.segmentation, model, plan.absent[found.segmenter.name])
        async for response in self._stage(Stage.STAGE_RENDER, about, draw, drawn):
            yield response
        if self.request.last_stage == Stage.STAGE_RENDER:
            return
        about = f"model {model.name}, which fits schema {model.schema}"
        make = partial(self._generate, drawn.reference, model)
        async for response in self._stage(Stage.STAGE_GENERATE, about, make, made):
            yield response

    async def _plan(self) -> Plan:
        asked = self.request
        wish = Wish(asked.segmenter, asked.schema, asked.model, asked.model_version)
        catalogue = await ask(self.stubs, self._left)
        if two_channels(asked) is not None:
            catalogue, wish = for_two_channels(catalogue, wish)
        if asked.last_stage and not asked.schema:
            return segmentation_plan(catalogue, wish)
        return make_plan(for_drawing(catalogue) if asked.last_stage else catalogue, wish)

    async def _from_reference(self, result: RunResult) -> AsyncIterator[RunResponse]:
        wish = Wish("", self.request.schema, self.request.model, self.request.model_version)
        models = wished_models(await ask(self.stubs, self._left), wish)
        if len(models) > 1:
            names = ", ".join(f"{model.name} ({model.schema})" for model in models)
            raise NoFittingModel(
                f"expected a model or a schema, for a reference does not say its own; models: {names}",
                known=names,
            )
        call = partial(self._generate, self.request.reference, models[0])
        async for response in self._stage(Stage.STAGE_GENERATE, f"model {models[0].name}", call, result.generation):
            yield response

    async def _segment(self, plan: Plan) -> AsyncIterator[Steps | segmentation_pb2.SegmentResponse]:
        request = segmentation_pb2.SegmentRequest(
            image=self.request.image, segmenter=plan.segmenter, candidates=plan.segmenters, delivery=_OBJECT
        )
        for name in ("channel", "diameter_px", "nuclei_channel", "cells_channel", "pixel_size_um"):
            if self.request.HasField(name):
                setattr(request, name, getattr(self.request, name))
        async for event in self.stubs.segmentation.SegmentWithProgress(
            request, timeout=self._left, wait_for_ready=True
        ):
            yield event.progress if event.HasField("progress") else event.result

    async def _render(
        self, segmentation: Content, model: ModelFacts, absent: tuple[str, ...]
    ) -> AsyncIterator[reference_pb2.RenderResponse]:
        request = reference_pb2.RenderRequest(
            segmentation=segmentation,
            image=self.request.image,
            schema_name=model.schema,
            boundary_thickness_px=self.request.boundary_thickness_px,
            absent_parts=absent,
            tier_limits=self.request.tier_limits,
            delivery=_OBJECT,
        )
        if self._channel is not None:
            request.channel = self._channel
        yield await self.stubs.reference.Render(request, timeout=self._left, wait_for_ready=True)

    async def _generate(
        self, reference: Content, model: ModelFacts
    ) -> AsyncIterator[Steps | generation_pb2.GenerateResponse]:
        request = generation_pb2.GenerateRequest(
            reference=reference,
            model=model.name,
            model_version=model.version,  # the planned one, of whose schema the reference is
            seed=self.request.seed,
            appearance=self.request.appearance,
            delivery=_OBJECT,
        )
        if self.request.HasField("image") and self.request.look_source != LookSource.LOOK_SOURCE_DRAWN:
            request.like.image.CopyFrom(self.request.image)
            if self._channel is not None:
                request.like.channel = self._channel
        async for event in self.stubs.generation.GenerateWithProgress(request, timeout=self._left, wait_for_ready=True):
            yield event.progress if event.HasField("progress") else event.result

    async def _stage(
        self, stage: Stage.ValueType, about: str, call: Callable[[], AsyncIterator[Any]], into: Any
    ) -> AsyncIterator[RunResponse]:
        """Yield that a stage begins, how far its call is, and that it is done; the call's reply is then in `into`."""
        yield _begun(stage, about)
        start = time.monotonic()
        try:
            async for event in call():
                if isinstance(event, Steps):
                    yield RunResponse(progress=StageProgress(stage=stage, steps_done=event.done, steps=event.total))
                else:
                    into.CopyFrom(event)
        except grpc.aio.AioRpcError as error:
            fields = _FIELDS if two_channels(self.request) is None else _FIELDS_OF_TWO_CHANNELS
            raise Answered(renamed(status_of(error), fields)) from error
        yield _ended(stage, start, into.cached)


def _begun(stage: Stage.ValueType, message: str) -> RunResponse:
    return RunResponse(progress=StageProgress(stage=stage, message=message))


def _ended(stage: Stage.ValueType, start: float, cached: bool = False) -> RunResponse:
    return RunResponse(progress=StageProgress(stage=stage, done=True, seconds=time.monotonic() - start, cached=cached))
