"""ReferenceService: fetch, draw, store, reply."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from functools import partial

import numpy as np
from biosynth.contract import SCHEMA_KEYWORD
from biosynth.v1 import reference_pb2, reference_pb2_grpc, types_pb2
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, NotImplementedYet, at
from services.common.imaging.formats.png_text import with_text
from services.common.imaging.images import encode_png
from services.common.imaging.labels import Segmentation, with_absent
from services.common.ranges import check_tier_limits
from services.common.serving.content import identify, read_image, read_segmentation
from services.common.serving.delivery import check_delivery, deliver, image_planes
from services.common.serving.job import Job
from services.common.serving.runtime import Runtime
from services.common.serving.server import Context, Service
from services.common.storage.results import Json, Outcome, Stored
from services.reference.render import Rendered, render
from services.reference.schemas import Schema, builtin_schemas, named, parse_schema, write_schema

REFERENCE, GREY = "reference.png", "reference_grey.png"
ALGORITHM_VERSION = 2


class ReferenceServicer(reference_pb2_grpc.ReferenceServiceServicer):
    """Translates between the contract and the renderer."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def Render(self, request: reference_pb2.RenderRequest, context: Context) -> reference_pb2.RenderResponse:
        return await self._runtime.answer(lambda: self._render(request))

    async def Simulate(
        self, request: reference_pb2.SimulateRequest, context: Context
    ) -> AsyncIterator[reference_pb2.SimulateResponse]:
        raise NotImplementedYet(
            "references cannot be simulated in this version; send a segmentation to Render", missing="simulator"
        )
        yield  # type: ignore[unreachable]  # makes this an async generator, as the contract's stream is

    async def ListSchemas(
        self, request: reference_pb2.ListSchemasRequest, context: Context
    ) -> reference_pb2.ListSchemasResponse:
        return reference_pb2.ListSchemasResponse(
            schemas=[schema_message(schema) for schema in builtin_schemas().values()]
        )

    def _render(self, request: reference_pb2.RenderRequest) -> Job[reference_pb2.RenderResponse]:
        _check(request)
        store, limits, schema = self._runtime.store, self._runtime.limits, _schema(request)
        with at("segmentation"):
            shown = identify(request.segmentation, store, limits)
        # The image counts only where cells are sorted into tiers by it: otherwise it must not change the result's key.
        with at("image"):
            image = identify(request.image, store, limits) if schema.tiers and request.HasField("image") else None

        def compute() -> Outcome:
            with at("segmentation"):
                segmentation, _ = read_segmentation(shown.content, store, limits)
            channel = request.channel if request.HasField("channel") else None
            with at("image", channel="channel"):
                pixels = read_image(image.content, channel, store, limits)[0] if image else None
            with at("absent_parts"):
                segmentation = with_absent(segmentation, request.absent_parts)
            return _outcome(request, schema, segmentation, pixels)

        def reply(stored: Stored) -> reference_pb2.RenderResponse:
            return reference_pb2.RenderResponse(
                reference=deliver(store, stored.objects[REFERENCE], request.delivery, image_planes),
                grey=deliver(store, stored.objects[GREY], request.delivery, image_planes),
                schema=schema_message(schema),
                cached=stored.cached,
                **stored.summary,  # type: ignore[arg-type]  # written by _outcome
            )

        identity = _identity(request, schema, shown.sha256, image.sha256 if image else "")
        return Job(
            "render",
            identity,
            compute,
            reply,
            max(shown.pixels, image.pixels if image else 0, request.height_px * request.width_px),
            "segmentation",
        )


def reference_service(runtime: Runtime) -> Service:
    """The service, ready to be added to a server."""
    add = reference_pb2_grpc.add_ReferenceServiceServicer_to_server
    return Service("biosynth.v1.ReferenceService", partial(add, ReferenceServicer(runtime)))


def schema_message(schema: Schema) -> types_pb2.Schema:
    """A schema as the contract has it."""
    return types_pb2.Schema(
        name=schema.name,
        version=str(schema.version),
        levels=[types_pb2.Level(index=level.index, name=level.name, grey=level.grey) for level in schema.levels],
        parts=schema.parts,
        tiers=schema.tiers,
        description=schema.description,
    )


def _check(request: reference_pb2.RenderRequest) -> None:
    """Refuse values that are wrong for every schema and segmentation, before anything is fetched."""
    check_delivery(request.delivery)
    check_tier_limits(request.tier_limits)
    if bool(request.height_px) != bool(request.width_px):
        raise InvalidArgument(
            f"expected both height_px and width_px, or neither; got {request.height_px}, {request.width_px}",
            field="width_px" if request.height_px else "height_px",
        )


def _schema(request: reference_pb2.RenderRequest) -> Schema:
    match request.WhichOneof("schema"):
        case "schema_name":
            with at("schema_name"):
                return named(request.schema_name)
        case "schema_yaml":
            with at("schema_yaml"):
                return parse_schema(request.schema_yaml)
        case _:
            raise InvalidArgument(
                f"expected schema_name (among {', '.join(builtin_schemas())}) or schema_yaml; got neither",
                field="schema",
            )


def _identity(request: reference_pb2.RenderRequest, schema: Schema, segmentation: str, image: str) -> dict[str, Json]:
    return {
        "segmentation": segmentation,
        "image": image,
        "channel": request.channel if image and request.HasField("channel") else None,
        "schema": hashlib.sha256(write_schema(schema).encode()).hexdigest(),
        "boundary_thickness_px": request.boundary_thickness_px,
        "size": [request.height_px, request.width_px],
        "tier_limits": list(request.tier_limits),
        "absent_parts": [*sorted(request.absent_parts)],
        "version": ALGORITHM_VERSION,
    }


def _outcome(
    request: reference_pb2.RenderRequest,
    schema: Schema,
    segmentation: Segmentation,
    image: NDArray[np.uint8] | NDArray[np.uint16] | None,
) -> Outcome:
    rendered: Rendered = render(
        segmentation,
        schema,
        image=image,
        boundary_thickness_px=request.boundary_thickness_px,
        size=(request.height_px, request.width_px) if request.height_px else None,
        tier_limits=tuple(request.tier_limits) or None,
    )
    return Outcome(
        {
            REFERENCE: with_text(encode_png(rendered.reference), SCHEMA_KEYWORD, f"{schema.name}/{schema.version}"),
            GREY: encode_png(rendered.grey),
        },
        {"tier_limits": list(rendered.tier_limits), "level_pixels": list(rendered.level_pixels)},
    )
