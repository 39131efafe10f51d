"""SegmentationService: fetch, segment, store, reply."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from biosynth.v1 import segmentation_pb2, segmentation_pb2_grpc
from biosynth.v1.types_pb2 import SegmentationSummary

from services.common.errors import at
from services.common.imaging.labels import Segmentation
from services.common.imaging.ometiff import encode_segmentation
from services.common.serving.content import identify, read_image
from services.common.serving.delivery import check_delivery, deliver, segmentation_planes
from services.common.serving.job import Job
from services.common.serving.model_metrics import ModelInMemory
from services.common.serving.runtime import Runtime
from services.common.serving.server import Context, Service
from services.common.serving.streams import followed
from services.common.storage.results import Json, Outcome, Stored
from services.segmentation.learned.segmenter import in_memory
from services.segmentation.segmenters import AUTO, Image, Segmenter, builtin_segmenters, eligible, pick

FILE = "segmentation.ome.tif"


class SegmentationServicer(segmentation_pb2_grpc.SegmentationServiceServicer):
    """Translates between the contract and the segmenters."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._segmenters = runtime, builtin_segmenters()
        runtime.metrics.models.add(_in_memory)

    async def Segment(
        self, request: segmentation_pb2.SegmentRequest, context: Context
    ) -> segmentation_pb2.SegmentResponse:
        return await self._runtime.answer(lambda: self._segment(request))

    async def SegmentWithProgress(
        self, request: segmentation_pb2.SegmentRequest, context: Context
    ) -> AsyncIterator[segmentation_pb2.SegmentWithProgressResponse]:
        async for progress, result in followed(lambda: self.Segment(request, context)):
            yield segmentation_pb2.SegmentWithProgressResponse(progress=progress, result=result)

    async def ListSegmenters(
        self, request: segmentation_pb2.ListSegmentersRequest, context: Context
    ) -> segmentation_pb2.ListSegmentersResponse:
        auto = segmentation_pb2.Segmenter(
            name=AUTO,
            version="1",
            description="Chooses by the look of the image: `nuclei` for fluorescence, else `scratch`.",
        )
        listed = [_message(segmenter) for segmenter in self._segmenters.values()]
        return segmentation_pb2.ListSegmentersResponse(segmenters=sorted([auto, *listed], key=lambda entry: entry.name))

    def _segment(self, request: segmentation_pb2.SegmentRequest) -> Job[segmentation_pb2.SegmentResponse]:
        check_delivery(request.delivery)
        store, limits = self._runtime.store, self._runtime.limits
        channel = request.channel if request.HasField("channel") else None
        name = request.segmenter or AUTO
        versions = eligible(self._segmenters, name, request.candidates)
        with at("image"):
            image = identify(request.image, store, limits)
        identity: dict[str, Json] = {"image": image.sha256, "channel": channel, "segmenter": name, "versions": versions}

        def compute() -> Outcome:
            with at("image", channel="channel"):
                pixels, _ = read_image(image.content, channel, store, limits)
            return _outcome(pick(self._segmenters, name, pixels, request.candidates), pixels)

        def reply(stored: Stored) -> segmentation_pb2.SegmentResponse:
            summary: dict[str, Any] = dict(stored.summary)  # written by _outcome
            return segmentation_pb2.SegmentResponse(
                segmenter=_message(self._segmenters[summary.pop("segmenter")]),
                segmentation=deliver(store, stored.objects[FILE], request.delivery, segmentation_planes),
                summary=SegmentationSummary(**summary),
                cached=stored.cached,
            )

        return Job("segment", identity, compute, reply, image.pixels, "image")


def segmentation_service(runtime: Runtime) -> Service:
    """The service, ready to be added to a server."""
    add = segmentation_pb2_grpc.add_SegmentationServiceServicer_to_server
    return Service("biosynth.v1.SegmentationService", partial(add, SegmentationServicer(runtime)))


def _in_memory() -> list[ModelInMemory]:
    return [ModelInMemory("segmenter", one.name, str(one.version), one.parameters) for one in in_memory()]


def _outcome(segmenter: Segmenter, image: Image) -> Outcome:
    found = segmenter.find(image)
    return Outcome(
        {FILE: encode_segmentation(found)},
        {
            "segmenter": segmenter.name,
            "height_px": found.shape[0],
            "width_px": found.shape[1],
            "parts": list(found.parts),
            "cells": _count(found, "cells"),
            "nuclei": _count(found, "nuclei"),
            "wound_fraction": float(found.wound.mean()) if found.wound is not None else 0.0,
        },
    )


def _count(found: Segmentation, part: str) -> int:
    labels = getattr(found, part)
    return 0 if labels is None else int(labels.max())  # segmenters number from 1 without gaps


def _message(segmenter: Segmenter) -> segmentation_pb2.Segmenter:
    return segmentation_pb2.Segmenter(
        name=segmenter.name, version=str(segmenter.version), parts=segmenter.parts, description=segmenter.description
    )
