"""What the client's calls return: arrays, and what the services tell about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from biosynth.errors import BiosynthCallError
from biosynth.objects import ObjectTable
from biosynth.raster import planes_of
from biosynth.v1.generation_pb2 import GenerateResponse, LookOrigin, Model, Tiling
from biosynth.v1.pipeline_pb2 import RunResult, Stage, StageProgress
from biosynth.v1.reference_pb2 import RenderResponse
from biosynth.v1.segmentation_pb2 import Segmenter, SegmentResponse
from biosynth.v1.types_pb2 import Appearance, Content, Look, Schema, SegmentationSummary

# How an image is put together of what the network gives, in the words of callers.
TILINGS = {
    "exact": Tiling.TILING_EXACT,
    "whole": Tiling.TILING_WHOLE,
    "blend": Tiling.TILING_BLEND,
    "concat": Tiling.TILING_CONCATENATE,
}


@dataclass(frozen=True)
class SegmentationResult:
    """What a segmenter found; cells and nuclei are (H, W) int32 labels, 0 = background, wound is (H, W) bool.

    objects: cells and nuclei one by one. choice_confidence: how sure `auto` was of the segmenter, 0.5 to 1; None where
    it did not choose. warnings: in what the image is unlike those that the segmenter was made for. unsuitable: why
    nothing should be made of it, such as that no object was found.
    """

    cells: NDArray[np.int32] | None
    nuclei: NDArray[np.int32] | None
    wound: NDArray[np.bool_] | None
    summary: SegmentationSummary
    segmenter: Segmenter
    cached: bool
    objects: ObjectTable
    choice_confidence: float | None
    warnings: tuple[str, ...]
    unsuitable: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, NDArray[Any]]:
        """The parts that are there, by name."""
        named = {"cells": self.cells, "nuclei": self.nuclei, "wound": self.wound}
        return {name: plane for name, plane in named.items() if plane is not None}

    @classmethod
    def of(cls, response: SegmentResponse) -> SegmentationResult:
        """Unpack a response with a raster, and the table as a file."""
        planes = _planes(response.segmentation)
        cells, nuclei, wound = (planes.get(name) for name in ("cells", "nuclei", "wound"))
        return cls(
            cells=None if cells is None else cells.astype(np.int32),
            nuclei=None if nuclei is None else nuclei.astype(np.int32),
            wound=None if wound is None else wound.astype(np.bool_),
            summary=response.summary,
            segmenter=response.segmenter,
            cached=response.cached,
            objects=_table(response.objects),
            choice_confidence=response.choice_confidence if response.HasField("choice_confidence") else None,
            warnings=tuple(response.warnings),
            unsuitable=tuple(response.unsuitable),
        )


@dataclass(frozen=True)
class ReferenceResult:
    """A reference: (H, W) uint8 level indices, its grey rendering likewise, and the pixels of each level."""

    reference: NDArray[np.uint8]
    grey: NDArray[np.uint8]
    schema: Schema
    tier_limits: tuple[float, ...]
    level_pixels: tuple[int, ...]
    cached: bool

    @classmethod
    def of(cls, response: RenderResponse) -> ReferenceResult:
        """Unpack a response with rasters."""
        return cls(
            reference=_single(response.reference),
            grey=_single(response.grey),
            schema=response.schema,
            tier_limits=tuple(response.tier_limits),
            level_pixels=tuple(response.level_pixels),
            cached=response.cached,
        )


@dataclass(frozen=True)
class GenerationResult:
    """A generated image, (H, W) uint8, and what made it; `appearance` has every value that was used.

    look: can be sent again as `like`. look_origin: `drawn`, then from training images of the kind `drawn_from`;
    `measured` or `given`. warnings: in what the look or the reference is unlike all training images. tiling: `exact`,
    `whole`, `blend` or `concat`.
    """

    image: NDArray[np.uint8]
    model: Model
    engine: str
    precision: str
    appearance: Appearance
    look: Look
    look_origin: str
    drawn_from: str
    warnings: tuple[str, ...]
    tiling: str
    cached: bool

    @classmethod
    def of(cls, response: GenerateResponse) -> GenerationResult:
        """Unpack a response with a raster."""
        return cls(
            image=_single(response.image),
            model=response.model,
            engine=response.engine,
            precision=response.precision,
            appearance=response.appearance,
            look=response.look,
            look_origin=word(LookOrigin, response.look_origin),
            drawn_from=response.drawn_from,
            warnings=tuple(response.warnings),
            tiling=tiling_word(response.tiling),
            cached=response.cached,
        )


@dataclass(frozen=True)
class Progress:
    """A stage (`plan`, `segment`, `render`, `generate`) that began or, with `done`, ended after `seconds`.

    In between, `steps_done` of its `steps` are done, such as tiles of an image; both are 0 where that is not known.
    """

    stage: str
    done: bool
    seconds: float
    message: str
    cached: bool
    steps_done: int = 0
    steps: int = 0

    @classmethod
    def of(cls, progress: StageProgress) -> Progress:
        """Name the stage as `word` does."""
        stage = word(Stage, progress.stage)
        steps = progress.steps_done, progress.steps
        return cls(stage, progress.done, progress.seconds, progress.message, progress.cached, *steps)


@dataclass(frozen=True)
class RunOutcome:
    """All that a run of the pipeline made; None for stages that it did not pass through."""

    segmentation: SegmentationResult | None
    reference: ReferenceResult | None
    generation: GenerationResult | None

    @classmethod
    def of(cls, result: RunResult) -> RunOutcome:
        """Unpack a result with rasters."""
        has = result.HasField
        return cls(
            segmentation=SegmentationResult.of(result.segmentation) if has("segmentation") else None,
            reference=ReferenceResult.of(result.reference) if has("reference") else None,
            generation=GenerationResult.of(result.generation) if has("generation") else None,
        )


def word(enum: Any, value: int) -> str:
    """The word for a value of one of the contract's enums; one that this client is too old to know has its number.

    >>> [word(Stage, number) for number in (3, 99)]
    ['render', 'stage 99']
    """
    prefix = enum.Name(0).removesuffix("UNSPECIFIED")
    if value not in enum.values():
        return f"{prefix.rstrip('_').replace('_', ' ').lower()} {value}"
    return str(enum.Name(value)).removeprefix(prefix).lower()


def tiling_word(value: int) -> str:
    """The word for a value of Tiling, as in TILINGS.

    >>> [tiling_word(number) for number in (0, 2, 99)]
    ['exact', 'concat', 'tiling 99']
    """
    words = {Tiling.TILING_UNSPECIFIED: "exact", **{number: word for word, number in TILINGS.items()}}
    return words.get(value) or word(Tiling, value)  # type: ignore[call-overload]


def unexpected(message: str) -> BiosynthCallError:
    """The error for a reply that breaks the contract."""
    return BiosynthCallError(grpc.StatusCode.INTERNAL, message, "UNEXPECTED_REPLY")


def _planes(content: Content) -> Mapping[str, NDArray[Any]]:
    if content.WhichOneof("source") != "raster":
        raise unexpected(f"asked for a raster; the server sent {content.WhichOneof('source') or 'nothing'}")
    try:
        return planes_of(content.raster)
    except ValueError as error:
        raise unexpected(str(error)) from None


def _table(content: Content) -> ObjectTable:
    try:
        return ObjectTable.of(content.file)
    except (ValueError, IndexError) as error:
        raise unexpected(f"the server sent no table of objects: {error}") from None


def _single(content: Content) -> NDArray[np.uint8]:
    planes = list(_planes(content).values())
    if len(planes) != 1 or planes[0].dtype != np.uint8:
        raise unexpected(f"expected one plane of uint8; the server sent {[str(plane.dtype) for plane in planes]}")
    return planes[0]
