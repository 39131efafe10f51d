"""SegmentationService: fetch, segment, store, reply."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from biosynth.contract import CELLS_CHANNEL_SEGMENTER, NUCLEI_CHANNEL_SEGMENTER
from biosynth.v1 import segmentation_pb2, segmentation_pb2_grpc
from biosynth.v1.types_pb2 import SegmentationSummary

from services.common.errors import InvalidArgument, at
from services.common.imaging.ometiff import encode_segmentation
from services.common.serving.content import identify, read_image
from services.common.serving.delivery import check_delivery, deliver, segmentation_planes
from services.common.serving.job import Job
from services.common.serving.model_metrics import ServedModel
from services.common.serving.runtime import Runtime
from services.common.serving.server import Context, Service
from services.common.serving.streams import followed
from services.common.sought import TwoChannels, check_finds_cells, diameter_of, pixel_size_of, two_channels
from services.common.storage.results import Json, Outcome, Stored
from services.segmentation.choice import AUTO, AUTO_VERSION, Choice, eligible, pick
from services.segmentation.learned.segmenter import in_memory
from services.segmentation.measures import VERSION as MEASURES
from services.segmentation.objects import INSTANCES, objects_of, table_of
from services.segmentation.paired import VERSION as PAIRING
from services.segmentation.paired import paired
from services.segmentation.segmenter import Follow, Found, Image, Segmenter
from services.segmentation.suitability import unsuitable

FILE, TABLE = "segmentation.ome.tif", "objects.csv"


class SegmentationServicer(segmentation_pb2_grpc.SegmentationServiceServicer):
    """Translates between the contract and the segmenters."""

    def __init__(self, runtime: Runtime, segmenters: Mapping[str, Segmenter]) -> None:
        self._runtime, self._segmenters = runtime, segmenters
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
            version=AUTO_VERSION,
            description="Chooses by the image's look and says how surely: `nuclei` for fluorescence, else `scratch`.",
        )
        listed = [_message(segmenter, segmenter.parts) for segmenter in self._segmenters.values()]
        return segmentation_pb2.ListSegmentersResponse(segmenters=sorted([auto, *listed], key=lambda entry: entry.name))

    def _segment(self, request: segmentation_pb2.SegmentRequest) -> Job[segmentation_pb2.SegmentResponse]:
        check_delivery(request.delivery)
        store, limits = self._runtime.store, self._runtime.limits
        channel = request.channel if request.HasField("channel") else None
        channels, diameter, pixel_um = two_channels(request), diameter_of(request), pixel_size_of(request)
        name = request.segmenter or AUTO
        if channels is not None and name == AUTO:
            name = CELLS_CHANNEL_SEGMENTER
        versions = eligible(self._segmenters, name, request.candidates)
        with at("image"):
            image = identify(request.image, store, limits)
        identity: dict[str, Json] = {"image": image.sha256, "channel": channel, "segmenter": name, "versions": versions}
        pixel_um = image.pixel_um if pixel_um is None else pixel_um
        identity |= {"diameter_px": diameter, "look": AUTO_VERSION, "measures": MEASURES, "pixel_um": pixel_um}
        if channels is not None:
            check_finds_cells(name, self._segmenters[name].parts)
            identity |= {"channels": [channels.nuclei, channels.cells], "pairing": PAIRING}
            identity |= {"nuclei_versions": eligible(self._segmenters, NUCLEI_CHANNEL_SEGMENTER)}
        first = None
        if request.HasField("first_frame"):
            follow = _following(self._segmenters, name)
            with at("first_frame"):
                first = identify(request.first_frame, store, limits)
            identity |= {"first_frame": first.sha256}

        def read(field: str, number: int | None) -> Image:
            with at("image", channel=field):
                return read_image(image.content, number, store, limits)[0]

        used = (channel or 0,) if channels is None else (channels.nuclei, channels.cells)
        origin = ", ".join(image.channels[number] for number in used if number < len(image.channels))

        def compute() -> Outcome:
            if channels is not None:
                return _outcome(*self._found_paired(read, channels, name, diameter), pixel_um, origin)
            pixels = read("channel", channel)
            _check_diameter(diameter, pixels)
            choice = pick(self._segmenters, name, pixels, request.candidates)
            if first is None:
                found = _found(choice.segmenter, pixels, diameter)
            else:
                _check_takes(choice.segmenter, diameter)
                with at("first_frame", channel="channel"):
                    start = read_image(first.content, channel, store, limits)[0]
                found = follow(pixels, start)
            return _outcome(choice, found, dict.fromkeys(INSTANCES, pixels), pixel_um, origin)

        def reply(stored: Stored) -> segmentation_pb2.SegmentResponse:
            told: dict[str, Any] = dict(stored.summary)  # written by _outcome
            return segmentation_pb2.SegmentResponse(
                segmenter=_message(self._segmenters[told["segmenter"]], told["summary"]["parts"]),
                segmentation=deliver(store, stored.objects[FILE], request.delivery, segmentation_planes),
                objects=deliver(store, stored.objects[TABLE], request.delivery),
                summary=SegmentationSummary(**told["summary"]),
                choice_confidence=told["choice_confidence"],
                warnings=told["warnings"],
                unsuitable=told["unsuitable"],
                cached=stored.cached,
            )

        announced = image.pixels + (first.pixels if first is not None else 0)
        return Job("segment", identity, compute, reply, announced, "image")

    def _found_paired(
        self, read: Callable[[str, int], Image], channels: TwoChannels, name: str, diameter: float | None
    ) -> tuple[Choice, Found, Mapping[str, Image]]:
        """What two channels show, and which of them shows which part.

        One network runs after the other, so that they take no more memory than one.
        """
        stained, shown = read("nuclei_channel", channels.nuclei), read("cells_channel", channels.cells)
        _check_diameter(diameter, shown)
        own, other = pick(self._segmenters, name, shown), pick(self._segmenters, NUCLEI_CHANNEL_SEGMENTER, stained)
        cells, nuclei = _found(own.segmenter, shown, diameter), _found(other.segmenter, stained, None)
        made = paired(cells, nuclei)
        choice = replace(own, warnings=(*own.warnings, *other.warnings, *made.warnings))
        return choice, made.found, {"cells": shown, "nuclei": stained}


def segmentation_service(runtime: Runtime, segmenters: Mapping[str, Segmenter]) -> Service:
    """The service with these segmenters, by name, ready to be added to a server."""
    add = segmentation_pb2_grpc.add_SegmentationServiceServicer_to_server
    return Service("biosynth.v1.SegmentationService", partial(add, SegmentationServicer(runtime, segmenters)))


def _in_memory() -> list[ServedModel]:
    return [ServedModel("segmenter", one.name, str(one.version), one.parameters) for one in in_memory()]


def _check_diameter(diameter: float | None, image: Image) -> None:
    """Refuse a diameter that no object of this image has."""
    if diameter is not None and diameter > max(image.shape):
        raise InvalidArgument(
            f"expected a diameter of at most the image's longer side, {max(image.shape)} px; got {diameter:g}",
            field="diameter_px",
        )


def _following(segmenters: Mapping[str, Segmenter], name: str) -> Follow:
    """How a segmenter finds a wound in a later frame. Raises InvalidArgument where it does not."""
    follow = segmenters[name].follow if name in segmenters else None
    if follow is None:
        able = sorted(one.name for one in segmenters.values() if one.follow is not None)
        raise InvalidArgument(
            f"expected no first_frame for segmenter {name}, or one of {', '.join(able)}; got one", field="first_frame"
        )
    return follow


def _found(segmenter: Segmenter, image: Image, diameter: float | None) -> Found:
    _check_takes(segmenter, diameter)
    return segmenter.find(image, diameter)


def _check_takes(segmenter: Segmenter, diameter: float | None) -> None:
    if diameter is not None and not segmenter.takes_diameter:
        raise InvalidArgument(
            f"expected no diameter for segmenter {segmenter.name}, which goes by none; got {diameter:g}",
            field="diameter_px",
        )


def _outcome(choice: Choice, found: Found, shown: Mapping[str, Image], pixel_um: float | None, origin: str) -> Outcome:
    """origin: names of the channels in which it was found, as the image's file tells them."""
    segmentation, objects = found.segmentation, objects_of(found, shown, pixel_um)
    counts = {one.part: len(one.area_px) for one in objects}
    summary: dict[str, Json] = {
        "height_px": segmentation.shape[0],
        "width_px": segmentation.shape[1],
        "parts": list(segmentation.parts),
        **counts,
        "wound_fraction": float(segmentation.wound.mean()) if segmentation.wound is not None else 0.0,
        "diameter_px": found.diameter_px,
        "at_border": sum(int(one.touches_border.sum()) for one in objects),
        "pixel_size_um": pixel_um,
    }
    return Outcome(
        {
            FILE: encode_segmentation(segmentation, (pixel_um, pixel_um) if pixel_um else None, origin),
            TABLE: table_of(objects),
        },
        {
            "segmenter": choice.segmenter.name,
            "summary": summary,
            "choice_confidence": choice.confidence,
            "warnings": [*choice.warnings, *found.warnings],
            "unsuitable": list(unsuitable(choice, segmentation)),
        },
    )


def _message(segmenter: Segmenter, parts: Sequence[str]) -> segmentation_pb2.Segmenter:
    return segmentation_pb2.Segmenter(
        name=segmenter.name,
        version=str(segmenter.version),
        parts=parts,
        description=segmenter.description,
        takes_diameter=segmenter.takes_diameter,
        by_name_only=segmenter.by_name_only,
    )
