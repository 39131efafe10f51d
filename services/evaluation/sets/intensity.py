"""Exposure: background, contrast, and how much objects of one field differ in brightness."""

from __future__ import annotations

import numpy as np

from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import Features, SetMetric
from services.evaluation.sets.objects import background_grey, find_objects, object_greys
from services.evaluation.sets.wasserstein import scaled_wasserstein

QUANTUM = 1.0 / 255.0  # one grey level


def measure_intensity(field: Field) -> Features:
    """Background, contrast and spread of a field, (1, 3); no row without labels of objects, nor of a stretched field.

    Defined as in docs/method.md, Appearance, but for the background, which is the plain median. Contrast and spread are
    NaN where there are no objects.
    """
    objects = find_objects(field)
    if objects is None or field.stretched:
        return np.empty((0, 3))
    background = background_grey(field.image, objects)
    if not objects.any():
        return np.array([[background, np.nan, np.nan]])
    contrast = max(float(np.abs(field.image - background)[objects > 0].mean()), QUANTUM)
    spread = float(object_greys(field.image, objects).std()) / contrast
    return np.array([[background, contrast, spread]])


INTENSITY_DISTANCE = SetMetric(
    name="intensity_distance",
    what="How far background, contrast and spread of brightness are from those of real fields, in their deviations.",
    direction="lower",
    needs_labels=True,
    needs="labels of cells or nuclei, and 8 bit",
    measure=measure_intensity,
    prepare=scaled_wasserstein((QUANTUM, QUANTUM, 0.01)),
    floors=("blurred", "shuffled_labels"),
    least_fields=2,
)
