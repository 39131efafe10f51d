"""Morphology: sizes, shapes and spacing of objects, with how bright they and the ground are."""

from __future__ import annotations

import numpy as np

from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import Features, SetMetric
from services.evaluation.sets.objects import background_grey, find_objects, object_greys
from services.evaluation.sets.shapes import shapes
from services.evaluation.sets.wasserstein import scaled_wasserstein

# Area and distance in px; eccentricity and solidity; one grey level.
_LEAST_UNITS = (1.0, 0.01, 0.01, 1.0, 1 / 255, 1 / 255)


def measure_morphology(field: Field) -> Features:
    """Area, eccentricity, solidity, nearest neighbour, mean grey, and the field's background grey: (objects, 6)."""
    objects = find_objects(field)
    if objects is None or not objects.any():
        return np.empty((0, len(_LEAST_UNITS)))
    greys = object_greys(field.image, objects)
    ground = np.full_like(greys, background_grey(field.image, objects))
    return np.concatenate([shapes(objects), greys[:, None], ground[:, None]], 1)


MORPHOLOGY_DISTANCE = SetMetric(
    name="morphology_distance",
    what="How far sizes, shapes, spacing and brightness of objects are from real ones, in their standard deviations.",
    direction="lower",
    needs_labels=True,
    needs="labels of cells or nuclei",
    measure=measure_morphology,
    prepare=scaled_wasserstein(_LEAST_UNITS),
    floors=("blurred", "shuffled_labels"),
)
