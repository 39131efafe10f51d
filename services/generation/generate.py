"""From a reference to an image of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.engines.engine import Engine
from services.common.errors import InvalidReference
from services.common.tiling import Tile, cut
from services.generation.appearance import Appearance, Look, draw
from services.generation.conditions import build_planes, draw_texture
from services.generation.model import ModelDescription
from services.generation.roles import find_objects

ALGORITHM_VERSION = 1
# Side of a tile's inner: large, since the halo is computed twice; small enough for half a gigabyte of activations.
TILE_PX = 768


@dataclass(frozen=True)
class Generated:
    """image: (H, W) uint8. appearance: what was drawn or ordered."""

    image: NDArray[np.uint8]
    appearance: Appearance


def generate(
    reference: NDArray[np.uint8],
    model: ModelDescription,
    engine: Engine,
    seed: int = 0,
    ordered: Mapping[str, float] | None = None,
    tile_px: int = TILE_PX,
) -> Generated:
    """Generate the image of a reference.

    reference: (H, W) level indices under the model's schema, any size. seed: of appearance, texture and camera noise.
    ordered: appearance values that are not to be drawn. The tiles' results are those of the whole image in one piece,
    up to float rounding. Raises InvalidReference for a level that the schema lacks, InvalidArgument for `ordered`.
    """
    check_levels(reference, model)
    generator = np.random.default_rng(seed)
    objects = find_objects(reference, model.roles)
    look = draw(model.records, int(objects.max()), generator, ordered or {})
    return Generated(generate_as(reference, objects, look, model, engine, generator, tile_px), look.appearance)


def generate_as(
    reference: NDArray[np.uint8],
    objects: NDArray[np.int32],
    look: Look,
    model: ModelDescription,
    engine: Engine,
    generator: np.random.Generator,
    tile_px: int = TILE_PX,
) -> NDArray[np.uint8]:
    """Generate the image of a reference with a given look. objects: (H, W) from `find_objects`.

    Returns (H, W) uint8.
    """
    texture = draw_texture(reference.shape, generator)
    planes = build_planes(reference, objects, look, texture, model.roles.count)
    clean = run_tiles(planes, engine, tile_px, model.halo_px, model.stride_px)
    return expose(clean, look.appearance, generator)


def check_levels(reference: NDArray[np.uint8], model: ModelDescription) -> None:
    """Refuse a map with levels beyond the schema's: a grey rendering sent by mistake, most often."""
    highest = int(reference.max())
    if highest >= model.roles.count:
        raise InvalidReference(
            f"expected levels 0 to {model.roles.count - 1} ({model.schema_name}, of model {model.name}), "
            f"got {highest}; send reference.png, not reference_grey.png"
        )


def run_tiles(planes: NDArray[np.float32], engine: Engine, side: int, halo: int, stride: int) -> NDArray[np.float32]:
    """Run the network tile by tile. planes: (P, H, W). Returns (H, W) float32."""
    _, height, width = planes.shape
    below, right = -height % stride, -width % stride
    padded = np.pad(planes, ((0, 0), (0, below), (0, right)), mode="edge")
    result = np.empty((height + below, width + right), np.float32)
    for tile in cut(height + below, width + right, side, halo, stride):
        result[tile.inner.slices] = run_tile(padded, tile, engine)
    return result[:height, :width]


def run_tile(planes: NDArray[np.float32], tile: Tile, engine: Engine) -> NDArray[np.float32]:
    """Run the network on one tile's outer and return its inner."""
    outer = np.ascontiguousarray(planes[(slice(None), *tile.outer.slices)])
    image = engine.run(outer[None])[0, 0]
    inner: NDArray[np.float32] = image[tile.inner.within(tile.outer)]
    return inner


def expose(clean: NDArray[np.float32], look: Appearance, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Turn the normalised image into camera counts: background and contrast, noise, rounding."""
    noise = generator.standard_normal(clean.shape, np.float32)
    counts = 255.0 * (look.background + look.contrast * clean + look.noise * noise)
    return np.clip(np.rint(counts), 0, 255).astype(np.uint8)
