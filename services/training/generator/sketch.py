"""References drawn by rule, with objects as large and as many as training images have: no real data is in them.

Needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.errors import ConfigError
from services.common.imaging.labels import Labels, Mask, Segmentation
from services.generation.looks import LabelStatistics
from services.generation.model import ModelDescription
from services.generation.patches import PATCH_PX
from services.reference.render import Rendered, render
from services.reference.schema import Schema

SIDE_PX = PATCH_PX  # that the networks for patches take too
_TRIES = 60  # places that an object is tried at; where all are taken, it is left out
_COVERED = 0.1  # of an object's area that others may have taken before: such objects touch, as real ones do
_SIZE_DEVIATION = 0.2  # of the logarithm of diameters
_WOUND_FROM = 0.62  # of the width
_NUCLEUS = 0.45  # its diameter as a share of its cell's


@dataclass(frozen=True)
class _Shape:
    """How round objects are. least_ratio: of shorter to longer axis; wave: of the outline, a share of its radius."""

    least_ratio: float
    wave: float


_NUCLEI, _CELLS = _Shape(0.65, 0.03), _Shape(0.4, 0.1)


def usual_labels(model: ModelDescription, count: int) -> list[tuple[LabelStatistics, str]]:
    """What the labels of so many training images are like, each with its kind; small objects first.

    Of each kind in turn, since training draws kinds equally often, evenly from small to large objects. Raises
    ConfigError for a model that does not know what its training labels were like.
    """
    kinds: dict[str, list[LabelStatistics]] = {}
    for record in model.records:
        if record.labels is not None:
            kinds.setdefault(record.kind, []).append(record.labels)
    if not kinds:
        raise ConfigError(
            f"expected label statistics in the records of model {model.name}; got none; measure them with "
            "`biosynth train generator DATASET --out MODEL --looks-only --version N`"
        )
    found = []
    for place, (kind, labels) in enumerate(sorted(kinds.items())[:count]):
        ordered, share = sorted(labels, key=_object_px), len(range(place, count, min(count, len(kinds))))
        found += [(ordered[int((number + 0.5) / share * len(ordered))], kind) for number in range(share)]
    return sorted(found, key=lambda pair: _object_px(pair[0]))


def _object_px(labels: LabelStatistics) -> float:
    return labels.object_px


def sketch(schema: Schema, like: LabelStatistics, wound: bool, generator: np.random.Generator) -> Rendered:
    """Draw a reference of SIDE_PX a side under a schema. wound: whether its right third is a wound."""
    zone = _wound(generator) if wound else np.zeros((SIDE_PX, SIDE_PX), np.bool_)
    shape = _CELLS if "cells" in schema.parts else _NUCLEI
    objects, cores = _objects(like, zone, shape, generator)
    planes = {"cells": objects, "nuclei": cores} if "cells" in schema.parts else {"nuclei": objects}
    found = Segmentation(**planes, wound=zone & (objects == 0))
    # Where a schema sorts cells by brightness, each is as bright as chance has it.
    grey = generator.integers(256, size=objects.max() + 1, dtype=np.uint8)[objects]
    return render(found, schema, grey)


def _objects(like: LabelStatistics, zone: Mask, shape: _Shape, generator: np.random.Generator) -> tuple[Labels, Labels]:
    """Label maps (SIDE_PX, SIDE_PX) of objects outside the wound, and of a core inside each."""
    objects, cores = np.zeros(zone.shape, np.int32), np.zeros(zone.shape, np.int32)
    for _ in range(max(1, round(like.density * zone.size / 1e6))):
        diameter = like.object_px * float(np.exp(generator.normal(0.0, _SIZE_DEVIATION)))
        outline = _outline(0.5 * diameter, shape, generator)
        for centre in generator.uniform(0, SIDE_PX, (_TRIES, 2)):
            drawn = _filled(outline + centre)
            if drawn.any() and (drawn & (zone | (objects > 0))).sum() <= _COVERED * drawn.sum():
                label = objects.max() + 1
                objects[drawn & (objects == 0)] = label
                cores[_filled(_NUCLEUS * outline + centre) & (objects == label)] = label
                break
    return objects, cores


def _outline(radius: float, shape: _Shape, generator: np.random.Generator) -> NDArray[np.float64]:
    """A wavy ellipse about (0, 0) with the area of a disk of this radius: (64, 2), x and y."""
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    ratio = generator.uniform(shape.least_ratio, 1.0)
    orders = np.array([[2], [3], [5]])
    phases, heights = generator.uniform(0, 2 * np.pi, orders.shape), generator.uniform(0, shape.wave, orders.shape)
    along = radius * (1 + (heights * np.cos(orders * angles + phases)).sum(0))
    points = along[:, None] * np.stack([np.cos(angles) / np.sqrt(ratio), np.sin(angles) * np.sqrt(ratio)], 1)
    turn = generator.uniform(0, np.pi)
    return np.asarray(points @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]], np.float64)


def _filled(points: NDArray[np.float64]) -> Mask:
    canvas = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.fillPoly(canvas, [np.rint(points).astype(np.int32)], 1)
    return canvas > 0


def _wound(generator: np.random.Generator) -> Mask:
    """What lies right of a wavy front."""
    rows = np.arange(SIDE_PX)
    front = _WOUND_FROM * SIDE_PX + 9 * np.sin(rows / 23 + generator.uniform(0, 2 * np.pi))
    return rows[None] > front[:, None]
