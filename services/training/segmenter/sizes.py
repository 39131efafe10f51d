"""How large the objects of a dataset are, which a network is told for use on images of another scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.common.imaging.labels import Labels
from services.segmentation.learned.outputs import DOWN, OFFSET_UNIT_PX, RIGHT
from services.training.segmenter.crops import LabelledField
from services.training.segmenter.targets import targets_of


def typical_sizes(sources: Sequence[Sequence[LabelledField]]) -> tuple[float, float]:
    """Diameter in pixels of a typical object, and that over the mean distance of its pixels to its centre.

    sources: fields by kind, as `Crops` takes them. The diameter is the median over fields of the kind with the largest
    objects: enlarging smaller ones costs time, but reducing larger ones would lose their detail. Fields and kinds that
    show no object say nothing of it; some field does, as `Crops` makes sure.
    """
    shown = [[field.labels for field in fields if field.labels.any()] for fields in sources]
    diameters = [[_diameter(labels) for labels in kind] for kind in shown if kind]
    shapes = [_diameter(labels) / _mean_offset(labels) for kind in shown for labels in kind]
    return max(float(np.median(some)) for some in diameters), float(np.median(shapes))


def _diameter(labels: Labels) -> float:
    """Of a disk with the median area of the objects."""
    areas = np.bincount(labels.ravel())[1:]
    return 2 * float(np.sqrt(np.median(areas[areas > 0]) / np.pi))


def _mean_offset(labels: Labels) -> float:
    planes = targets_of(labels)
    return OFFSET_UNIT_PX * float(np.hypot(planes[DOWN], planes[RIGHT])[labels > 0].mean())
