"""Where a request's look comes from: drawn, measured on an image to imitate, or sent; and looks as they travel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields

import numpy as np
from biosynth.v1 import generation_pb2, types_pb2
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, at
from services.common.ranges import check_appearance
from services.common.serving.content import identify, read_image, read_reference
from services.common.serving.runtime import Runtime
from services.common.storage.results import Json
from services.generation.appearance import Appearance, Look
from services.generation.generate import Generated
from services.generation.likeness import measure_likeness
from services.generation.model import ModelDescription
from services.generation.shapes import SHAPE_VALUES

MOST_OBJECTS = 1024  # of those that a reply lists in its look
MOST_SHAPE = 100.0  # of an object's shape values: beyond any that an object has
MOST_BRIGHTNESS = 1000.0  # of an object, in units of the contrast: beyond any that can be measured in 16 bit
# The contract's names of a shape's values, in the order of `shapes_of`.
_SHAPES = ("object_sizes", "object_aspects", "object_fills")


@dataclass(frozen=True)
class LookSource:
    """Where a look comes from, what of it is part of the result's identity, and what gives it: None, to be drawn.

    look: takes the request's own reference, (H, W), and the model; it reads what it needs itself, blocking. pixels: of
    the largest image that it reads.
    """

    origin: generation_pb2.LookOrigin.ValueType
    identity: dict[str, Json] | None
    look: Callable[[NDArray[np.uint8], ModelDescription], Look | None]
    pixels: int = 0


def look_source(request: generation_pb2.GenerateRequest, runtime: Runtime) -> LookSource:
    """Read what the request says of its look; a look is measured only when it is asked for.

    Raises InvalidArgument for a look that is not whole, and as fetch does.
    """
    match request.WhichOneof("look_from"):
        case "look":
            with at("look"):
                look = look_of(request.look)
            objects = hashlib.sha256(look.objects.tobytes() + look.shapes.tobytes()).hexdigest()
            identity: dict[str, Json] = {"appearance": {**asdict(look.appearance)}, "objects": objects}
            return LookSource(generation_pb2.LOOK_ORIGIN_GIVEN, identity, lambda _reference, _model: look)
        case "like":
            with at("like"):
                return _likeness(request.like, runtime)
        case _:
            return LookSource(generation_pb2.LOOK_ORIGIN_DRAWN, None, lambda _reference, _model: None)


def look_of(message: types_pb2.Look) -> Look:
    """A look that a caller sent. Raises InvalidArgument where it is not whole, or has values that no image has."""
    appearance = ordered_values(message.appearance)
    # Those that came later may lack, and are 0: looks were kept before there were any.
    needed = [field.name for field in fields(Appearance) if field.default is MISSING]
    if lacking := [name for name in needed if name not in appearance]:
        raise InvalidArgument(
            f"expected every appearance value in a look; it lacks {', '.join(lacking)}",
            field=f"appearance.{lacking[0]}",
        )
    check_appearance(appearance)
    means, deviations = list(message.object_means), list(message.object_deviations)
    if len(means) != len(deviations):
        raise InvalidArgument(
            f"expected a mean and a deviation for each object of a look; got {len(means)} means and {len(deviations)} "
            "deviations",
            field="object_deviations",
        )
    objects = np.array([means, deviations], np.float32).T.reshape(-1, 2)
    if not (np.abs(objects) <= MOST_BRIGHTNESS).all() or (objects[:, 1] < 0).any():  # the first also for NaN
        raise InvalidArgument(
            f"expected objects of a look with means from -{MOST_BRIGHTNESS:g} to {MOST_BRIGHTNESS:g} and deviations "
            f"from 0 to {MOST_BRIGHTNESS:g}, in units of the contrast; got others",
            field="object_deviations" if (np.abs(objects[:, 0]) <= MOST_BRIGHTNESS).all() else "object_means",
        )
    return Look(Appearance(**appearance), objects, _shapes_in(message, len(objects)))


def _shapes_in(message: types_pb2.Look, count: int) -> NDArray[np.float32]:
    """The shapes of a look's objects, (count, 3), or (0, 3) where none are told. Raises as `look_of`."""
    values = {name: getattr(message, name) for name in _SHAPES}
    if not any(values.values()):
        return np.zeros((0, SHAPE_VALUES), np.float32)
    for name, told in values.items():
        if len(told) != count:
            raise InvalidArgument(
                f"expected {', '.join(_SHAPES)} for each of the {count} objects of a look, or none of the three; got "
                f"{len(told)} {name}",
                field=name,
            )
        if not (np.abs(told) <= MOST_SHAPE).all():  # also for NaN
            raise InvalidArgument(
                f"expected {name} from -{MOST_SHAPE:g} to {MOST_SHAPE:g}, as no object's is beyond; got others",
                field=name,
            )
    return np.array(list(values.values()), np.float32).T


def ordered_values(appearance: types_pb2.Appearance) -> dict[str, float]:
    """The values that the caller set."""
    return {field.name: value for field, value in appearance.ListFields()}


def summary_of(made: Generated) -> dict[str, Json]:
    """What is to be known of a generated image, besides its pixels."""
    return {"look": _fields(made.look), "drawn_from": made.drawn_from, "warnings": list(made.warnings)}


def _likeness(like: generation_pb2.Likeness, runtime: Runtime) -> LookSource:
    store, limits = runtime.store, runtime.limits
    channel = like.channel if like.HasField("channel") else None
    with at("image"):
        image = identify(like.image, store, limits)
    with at("reference"):
        own = identify(like.reference, store, limits) if like.HasField("reference") else None

    def measured(reference: NDArray[np.uint8], model: ModelDescription) -> Look:
        with at("like"), at("image", channel="channel"):
            pixels, _ = read_image(image.content, channel, store, limits)
        with at("like"), at("reference"):
            if own is not None:
                reference, _ = read_reference(own.content, store, limits, model.schema)
        with at("like"):
            return measure_likeness(pixels, reference, model)

    identity: dict[str, Json] = {
        "image": image.sha256,
        "channel": channel,
        "reference": own.sha256 if own else "",
    }
    pixels = max(image.pixels, own.pixels if own else 0)
    return LookSource(generation_pb2.LOOK_ORIGIN_MEASURED, identity, measured, pixels)


def _fields(look: Look) -> dict[str, Json]:
    """A look as the contract's message has it; of more than MOST_OBJECTS objects, as many, evenly chosen."""
    count = len(look.objects)
    chosen = np.linspace(0, count - 1, min(count, MOST_OBJECTS)).round().astype(np.intp)
    means, deviations = look.objects[chosen].astype(np.float64).round(4).T.tolist()
    shapes = look.shapes[chosen].astype(np.float64).round(4).T.tolist()
    objects = {"object_means": means, "object_deviations": deviations, **dict(zip(_SHAPES, shapes, strict=True))}
    return {"appearance": asdict(look.appearance), **objects}
