"""What the deployment offers, asked of its services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biosynth.v1 import generation_pb2, reference_pb2, segmentation_pb2
from biosynth.v1.generation_pb2 import Model
from biosynth.v1.generation_pb2_grpc import GenerationServiceStub
from biosynth.v1.reference_pb2_grpc import ReferenceServiceStub
from biosynth.v1.segmentation_pb2 import Segmenter
from biosynth.v1.segmentation_pb2_grpc import SegmentationServiceStub
from biosynth.v1.types_pb2 import Schema

from services.common.serving.channels import open_channel
from services.common.serving.config import EndpointsConfig
from services.pipeline.plan import Catalogue, ModelFacts, SegmenterFacts

if TYPE_CHECKING:  # only the type stubs have these names
    from biosynth.v1.generation_pb2_grpc import GenerationServiceAsyncStub
    from biosynth.v1.reference_pb2_grpc import ReferenceServiceAsyncStub
    from biosynth.v1.segmentation_pb2_grpc import SegmentationServiceAsyncStub


@dataclass(frozen=True)
class Stubs:
    """The services that a run calls."""

    segmentation: SegmentationServiceAsyncStub
    reference: ReferenceServiceAsyncStub
    generation: GenerationServiceAsyncStub


# A service that does not list in this time is frozen or gone; one that restarts is waited for meanwhile.
LIST_SECONDS = 5.0


async def ask(stubs: Stubs, seconds: float) -> Catalogue:
    """List segmenters, schemas and models, all three at once, in `seconds` or 5 s at most."""
    most = min(seconds, LIST_SECONDS)
    segmenters, schemas, models = await asyncio.gather(
        stubs.segmentation.ListSegmenters(segmentation_pb2.ListSegmentersRequest(), timeout=most, wait_for_ready=True),
        stubs.reference.ListSchemas(reference_pb2.ListSchemasRequest(), timeout=most, wait_for_ready=True),
        stubs.generation.ListModels(generation_pb2.ListModelsRequest(), timeout=most, wait_for_ready=True),
    )
    return catalogue_of(segmenters.segmenters, schemas.schemas, models.models)


def catalogue_of(segmenters: Iterable[Segmenter], schemas: Iterable[Schema], models: Iterable[Model]) -> Catalogue:
    """What can be planned with, of what the services list."""
    drawn = {schema.name: schema for schema in schemas}
    return Catalogue(
        segmenters=[SegmenterFacts(entry.name, tuple(entry.parts), entry.by_name_only) for entry in segmenters],
        schemas={name: tuple(schema.parts) for name, schema in drawn.items()},
        # A model that learned another version of its schema would be given levels that mean something else.
        models=[
            ModelFacts(model.name, model.schema_name, model.version)
            for model in models
            if model.schema_name in drawn and drawn[model.schema_name].version == model.schema_version
        ],
    )


@asynccontextmanager
async def connected(endpoints: EndpointsConfig) -> AsyncIterator[Stubs]:
    """Stubs over one channel to each service; they connect with the first call."""
    async with AsyncExitStack() as stack:
        targets = (endpoints.segmentation, endpoints.reference, endpoints.generation)
        segmentation, reference, generation = [
            await stack.enter_async_context(open_channel(target, endpoints.caller)) for target in targets
        ]
        yield Stubs(
            SegmentationServiceStub(segmentation), ReferenceServiceStub(reference), GenerationServiceStub(generation)
        )
