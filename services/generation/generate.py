"""From a reference to an image of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.common.abandonment import stop_if_abandoned
from services.common.engines.engine import Engine
from services.common.errors import InvalidReference, at
from services.common.imaging.tiling import Window
from services.generation.appearance import MINIMUM_BACKGROUND, Look
from services.generation.camera import expose
from services.generation.conditions import build_planes, draw_texture, glow_of
from services.generation.ground import LEAST_PIXELS, ground_of
from services.generation.light import LIGHTS, OF_FLUORESCENCE
from services.generation.looks import describe_labels, draw, fitted, unlike
from services.generation.model import ModelDescription
from services.generation.roles import bare_share, find_objects
from services.generation.shapes import shapes_of
from services.generation.tilings import TILE_PX, Tiling, halo_of, run_tiled

ALGORITHM_VERSION = 6
# How far an image's contrast may be off from what was asked for: the network knows best how parts of it relate.
CONTRAST_TOLERANCE = 0.1
# Objects that differ less than this from the background, in units of the contrast, are left so: there is no signal.
LEAST_CONTRAST = 0.1
# Of the ground, the share that is told from what is too dark beside objects.
DARKEST_PERCENT = 0.5
# Of the edges of interiors, those without a boundary beyond which a map is doubted: rendered ones have none.
MOST_BARE = 0.5


@dataclass(frozen=True)
class Generated:
    """image: (H, W) uint8. look: the one that was used. drawn_from: kind of the training image that it is of, or "".

    warnings: in what the look or the reference is unlike all training images.
    """

    image: NDArray[np.uint8]
    look: Look
    drawn_from: str
    warnings: tuple[str, ...]


def generate(
    reference: NDArray[np.uint8],
    model: ModelDescription,
    engine: Engine,
    seed: int = 0,
    ordered: Mapping[str, float] | None = None,
    like: Look | None = None,
    tiling: Tiling = Tiling.EXACT,
    tile_px: int = TILE_PX,
) -> Generated:
    """Generate the image of a reference.

    reference: (H, W) level indices under the model's schema, any size. seed: of look, texture and camera noise.
    ordered: appearance values that take the place of others. like: a look to imitate; None: one is drawn from training
    images whose labels are like the reference. tiling: how the image is put together (docs/method.md, Tiling).
    tile_px: side of the tiles of `exact`. Raises InvalidReference for a level that the schema lacks, ImageTooLarge for
    more pixels than the tiling takes, InvalidArgument for a name or value in `ordered` that no appearance has, for a
    look without objects, and for a tiling that the model's network is not made for.
    """
    with at("tiling"):
        if not tiling.patched:
            halo_of(model)  # a model that has none is refused before any work
    with at("reference"):
        tiling.check(reference.size)
        check_levels(reference, model)
    generator = np.random.default_rng(seed)
    objects = find_objects(reference, model.roles)
    labels, drawn_from = describe_labels(objects), ""
    if like is None:
        record = draw(model.records, labels, generator)
        like, drawn_from = record.look, record.kind
    look = fitted(like, shapes_of(objects), ordered or {}, generator)
    image = generate_as(reference, objects, look, model, engine, generator, tiling, tile_px)
    warnings = unlike(replace(like, appearance=look.appearance), labels, model.records)
    return Generated(image, look, drawn_from, (*_doubts(reference, model), *warnings))


def generate_as(
    reference: NDArray[np.uint8],
    objects: NDArray[np.int32],
    look: Look,
    model: ModelDescription,
    engine: Engine,
    generator: np.random.Generator,
    tiling: Tiling = Tiling.EXACT,
    tile_px: int = TILE_PX,
) -> NDArray[np.uint8]:
    """Generate the image of a reference with a given look. objects: (H, W) from `find_objects`.

    Returns (H, W) uint8.
    """
    height, width = reference.shape
    # The network needs sizes divisible by its stride. What is added below and to the right is cut off again.
    rest = ((0, -height % model.stride_px), (0, -width % model.stride_px))
    whole = np.pad(reference, rest, mode="edge"), np.pad(objects, rest, mode="edge")
    clean = _clean(*whole, look, model, engine, generator, tiling, tile_px)[:height, :width]
    engine.rest()
    clean = calibrated(clean, objects)
    if model.light in OF_FLUORESCENCE:
        clean = held_up(clean, objects)
    return expose(clean, objects, look.appearance, generator, LIGHTS[model.light])


def _clean(
    reference: NDArray[np.uint8],
    objects: NDArray[np.int32],
    look: Look,
    model: ModelDescription,
    engine: Engine,
    generator: np.random.Generator,
    tiling: Tiling,
    tile_px: int,
) -> NDArray[np.float32]:
    """Run the network. Its input is given back before the image is exposed, which takes as much again."""
    texture, glow = draw_texture(reference.shape, generator), glow_of(objects, look)
    stop_if_abandoned()

    def planes_in(window: Window) -> NDArray[np.float32]:
        there = (glow[:, *window], texture[:, *window])
        return build_planes(reference[window], objects[window], look, *there, model.roles.count)

    return run_tiled(tiling, engine, model, planes_in, reference.shape, tile_px)


def _doubts(reference: NDArray[np.uint8], model: ModelDescription) -> tuple[str, ...]:
    """Whether a map whose levels are all in the schema is a reference at all."""
    if bare_share(reference, model.roles) <= MOST_BARE:
        return ()
    return (
        "objects lie on the ground without a boundary, as in a label map; of one `biosynth render` draws the reference "
        f"under {model.schema_name}",
    )


def check_levels(reference: NDArray[np.uint8], model: ModelDescription) -> None:
    """Refuse a map with levels beyond the schema's: most often a grey rendering that was sent by mistake."""
    highest = int(reference.max())
    if highest >= model.roles.count:
        raise InvalidReference(
            f"expected levels 0 to {model.roles.count - 1} ({model.schema_name}, of model {model.name}), "
            f"got {highest}; send reference.png, not reference_grey.png; of a label map `biosynth render` draws one"
        )


def calibrated(clean: NDArray[np.float32], objects: NDArray[np.int32]) -> NDArray[np.float32]:
    """Hold the network's image to the background and contrast that it stands for: 0, and 1 within a tenth.

    clean: (H, W), in units of the contrast above the background. objects: (H, W), 0 = background. The network learned
    images whose background has the median 0 and whose objects differ from it by 1 on average. Where labels or a look
    are unlike those of training it misses that, and the image would miss its exposure.

    >>> calibrated(np.array([[0.5, 0.5, 2.0, 3.0]], np.float32), np.array([[0, 0, 1, 1]], np.int32)).round(3)
    array([[0.   , 0.   , 0.825, 1.375]], dtype=float32)
    """
    inside = objects > 0
    if 1.0 - inside.mean() >= MINIMUM_BACKGROUND:
        clean = clean - np.median(clean[~inside])
    contrast = float(np.abs(clean[inside]).mean()) if inside.any() else 1.0
    held = min(max(contrast, 1.0 - CONTRAST_TOLERANCE), 1.0 + CONTRAST_TOLERANCE)
    return clean * np.float32(held / contrast if contrast > LEAST_CONTRAST else 1.0)


def held_up(clean: NDArray[np.float32], objects: NDArray[np.int32]) -> NDArray[np.float32]:
    """Raise what is darker between objects than the darkest 0.5 % of the ground far from them to just that.

    clean: (H, W). objects: (H, W), 0 = background. Networks overshoot beside bright objects, and a pixel there would be
    black on a ground that is not. Where there is no such ground, nothing is raised.
    """
    ground = ground_of(objects)
    if np.count_nonzero(ground) < LEAST_PIXELS:
        return clean
    darkest = np.percentile(clean[ground], DARKEST_PERCENT)
    return np.where(objects == 0, np.maximum(clean, np.float32(darkest)), clean)
