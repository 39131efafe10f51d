"""The picture of a model's card: what it makes of references that are drawn by rule. Needs no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.engines.engine import Engine
from services.common.imaging.images import encode_png
from services.common.imaging.intensity import brightness_range, stretch
from services.generation.generate import generate
from services.generation.model import PICTURE, ModelDescription
from services.generation.tilings import usual_tiling
from services.reference.schema import Schema
from services.reference.schemas import named
from services.training.generator.crops import Field
from services.training.generator.sketch import sketch, usual_labels

_COLUMNS = 4
_ACROSS_PX, _DOWN_PX = 4, 6  # between panels; so the picture is twice as wide as high, as BioImage.IO asks of covers
_WHITE = 255
CAPTION = (
    "Above, references drawn by rule, with objects as large and as many as four training images have; below, what the "
    "model makes of them: looks drawn by seed, each image stretched to its own brightness. No real image is in it."
)


def write_picture(folder: Path, model: ModelDescription, engine: Engine, scratched: Collection[str]) -> None:
    """Write samples.png beside a card; arguments and errors as `draw_samples`."""
    (folder / PICTURE).write_bytes(encode_png(draw_samples(model, engine, scratched)))


def draw_samples(model: ModelDescription, engine: Engine, scratched: Collection[str]) -> NDArray[np.uint8]:
    """Draw the picture, (H, 2 H): grey renderings of four references above the images generated of them.

    scratched: kinds of training images that show wounds. Raises ConfigError as `usual_labels`.
    """
    columns = []
    for seed, (labels, kind) in enumerate(usual_labels(model, _COLUMNS)):
        drawn = sketch(named(model.schema_name), labels, kind in scratched, np.random.default_rng(seed))
        image = generate(drawn.reference, model, engine, seed, tiling=usual_tiling(model)).image
        columns.append(_joined([drawn.grey, stretch(image, brightness_range(image))], 0, _DOWN_PX))
    return _joined(columns, 1, _ACROSS_PX)


def scratched_kinds(schema: Schema, fields: Iterable[Field]) -> set[str]:
    """Sources of the fields that show wounds."""
    wounds = [rule.level for rule in schema.painting if rule.source == "wound"]
    return {field.entry.source for field in fields if np.isin(field.reference, wounds).any()}


def _joined(panels: Sequence[NDArray[np.uint8]], axis: int, gap_px: int) -> NDArray[np.uint8]:
    side = panels[0].shape[1 - axis]
    gap = np.full((gap_px, side) if axis == 0 else (side, gap_px), _WHITE, np.uint8)
    return np.concatenate([piece for panel in panels for piece in (panel, gap)][:-1], axis)
