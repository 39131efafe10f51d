"""How closely objects stand: fields are binned by it, since no image can be made denser without moving its objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.common.imaging.labels import Labels
from services.evaluation.sets.objects import numbered
from services.evaluation.sets.shapes import shapes

MOST_BINS = 4
LEAST_FIELDS = 5  # in a bin: fewer say more about themselves than about their spacing


def spacing(true: Labels) -> float:
    """Mean distance of objects' centroids to the nearest other one, in diameters; NaN for a lone object.

    true: (H, W) with objects. The diameter is that of a disk of the objects' median area. Objects for each area would
    depend on magnification, and not see that the same number can stand apart or in clumps. docs/method.md, Tool check.

    >>> round(spacing(np.array([[1, 1, 0, 0, 2, 2], [1, 1, 0, 0, 2, 2]], np.int32)), 2)  # 4 px, diameter 2.26 px
    1.77
    """
    found = shapes(numbered(true))
    return float(found[:, 3].mean() / np.sqrt(4 * np.median(found[:, 0]) / np.pi))


def bins(spacings: Sequence[float]) -> list[list[int]]:
    """Indices of fields in up to 4 bins of like size, the closest first; none where there are too few for two bins.

    Fields with a lone object are in none.

    >>> [len(some) for some in bins([*range(11), float("nan")])]
    [6, 5]
    """
    known = [index for index in np.argsort(spacings, kind="stable") if np.isfinite(spacings[index])]
    count = min(MOST_BINS, len(known) // LEAST_FIELDS)
    return [[int(index) for index in some] for some in np.array_split(known, count)] if count > 1 else []
