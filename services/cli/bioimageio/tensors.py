"""The input and the output that a packaged model is tested with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.engines.engine import Engine
from services.generation.conditions import build_planes, draw_texture, glow_of
from services.generation.looks import describe_labels, draw, fitted
from services.generation.model import ModelDescription
from services.generation.roles import find_objects
from services.generation.shapes import shapes_of
from services.reference.schemas import named
from services.training.generator.sketch import sketch, usual_labels


def example_tensors(model: ModelDescription, engine: Engine) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The planes of a reference like those of training, in a look drawn for it, and what the network makes of them.

    Returns (1, planes, S, S) and (1, 1, S, S) float32. Raises ConfigError as `usual_labels`.
    """
    generator = np.random.default_rng(0)
    [(labels, _)] = usual_labels(model, 1)
    reference = sketch(named(model.schema_name), labels, False, generator).reference
    objects = find_objects(reference, model.roles)
    drawn = draw(model.records, describe_labels(objects), generator).look
    look = fitted(drawn, shapes_of(objects), {}, generator)
    texture = draw_texture(reference.shape, generator)
    planes = build_planes(reference, objects, look, glow_of(objects, look), texture, model.roles.count)[None]
    return planes, engine.run(planes)
