"""How a mask becomes another one: its objects re-placed, deformed, turned and mirrored, in this order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from services.synthesis.elastic import Elastic, draw_elastic, source_pixels
from services.synthesis.placement import replaced
from services.synthesis.truth import Truth

_SHARE = 0.5  # of augmented masks that are deformed, and of those whose objects are re-placed


@dataclass(frozen=True)
class Augmentation:
    """replace_seed: of the new places; None: objects stay. quarter_turns: anticlockwise. mirrored: left to right."""

    replace_seed: int | None
    elastic: Elastic | None
    quarter_turns: int
    mirrored: bool


def draw_augmentation(seed: int) -> Augmentation:
    """The augmentation of this seed; never one that leaves every mask as it is."""
    generator = np.random.default_rng(seed)
    replace_seed = int(generator.integers(2**32)) if generator.random() < _SHARE else None
    elastic = draw_elastic(generator) if generator.random() < _SHARE else None
    orientation = int(generator.integers(0 if elastic else 1, 8))
    return Augmentation(replace_seed, elastic, orientation % 4, orientation >= 4)


def augmented(truth: Truth, augmentation: Augmentation) -> tuple[Truth, dict[str, Any]]:
    """The augmented truth, and what was done, ready for JSON."""
    done = asdict(augmentation)
    if augmentation.replace_seed is not None:
        truth, places = replaced(truth, np.random.default_rng(augmentation.replace_seed))
        done["replaced"] = asdict(places)
    if augmentation.elastic is not None:
        rows, columns = source_pixels(truth.labels.shape, augmentation.elastic)
        truth = truth.moved(lambda plane: plane[rows, columns])
    if augmentation.quarter_turns:
        truth = truth.moved(lambda plane: np.rot90(plane, augmentation.quarter_turns))
    if augmentation.mirrored:
        truth = truth.moved(np.fliplr)
    return truth, done
