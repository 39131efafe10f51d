"""One image as a request orders it: checked and identified, and made when its turn comes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from biosynth.results import tiling_word
from biosynth.v1 import generation_pb2
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, at
from services.common.ranges import check_appearance
from services.common.serving.content import Identified, identify, read_reference
from services.common.serving.memory import COSTS
from services.common.serving.runtime import Runtime
from services.common.storage.results import Json
from services.generation.generate import ALGORITHM_VERSION, Generated, check_levels, generate
from services.generation.loaded import LoadedModel
from services.generation.look_source import LookSource, look_source, ordered_values
from services.generation.tilings import Tiling


@dataclass(frozen=True)
class ImageOrder:
    """What an image is to be made of and by which model; it holds no pixels, for it may wait."""

    model: LoadedModel
    reference: Identified
    source: LookSource
    seed: int
    ordered: dict[str, float]
    tiling: Tiling
    runtime: Runtime

    @property
    def identity(self) -> dict[str, Json]:
        """All that the image depends on, besides the libraries that compute it."""
        return {
            "reference": self.reference.sha256,
            "model": self.model.stored.fingerprint,
            "seed": self.seed,
            "tiling": self.tiling.value,
            "appearance": {**self.ordered},
            "engine": self.model.engine.name,
            "precision": self.model.engine.precision,
            "version": ALGORITHM_VERSION,
            "look": self.source.identity,
        }

    @property
    def pixels(self) -> int:
        """Of the largest image that is in memory while this one is made."""
        return max(self.reference.pixels, self.source.pixels)

    @property
    def at_least(self) -> int:
        """Bytes that making it takes where that is more than its pixels say."""
        return COSTS["generate-whole"].of(self.reference.pixels) if self.tiling is Tiling.WHOLE else 0

    def levels(self) -> NDArray[np.uint8]:
        """The reference, (H, W) level indices; blocking. Raises as read_reference, and for levels the schema lacks."""
        description, store = self.model.stored.description, self.runtime.store
        with at("reference"):
            levels, _ = read_reference(self.reference.content, store, self.runtime.limits, description.schema)
            check_levels(levels, description)
        return levels

    def made(self, levels: NDArray[np.uint8]) -> Generated:
        """The image of `levels`, which are those of the reference; blocking. Raises as `generate`, and as fetch."""
        description = self.model.stored.description
        look = self.source.look(levels, description)
        return generate(levels, description, self.model.engine, self.seed, self.ordered, look, self.tiling)


def image_order(request: generation_pb2.GenerateRequest, model: LoadedModel, runtime: Runtime) -> ImageOrder:
    """The order that a request places; blocking, for it looks at what the request names.

    Raises InvalidArgument for a tiling or an appearance that is not known, and as identify and look_source do.
    """
    if request.tiling not in generation_pb2.Tiling.values():
        raise InvalidArgument(f"expected a known tiling; got {request.tiling}", field="tiling", got=request.tiling)
    tiling, ordered = Tiling(tiling_word(request.tiling)), ordered_values(request.appearance)
    check_appearance(ordered)
    with at("reference"):
        reference = identify(request.reference, runtime.store, runtime.limits)
        tiling.check(reference.pixels)
    source = look_source(request, runtime)
    return ImageOrder(model, reference, source, request.seed, ordered, tiling, runtime)
