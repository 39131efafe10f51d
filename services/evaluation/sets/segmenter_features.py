"""How windows look to a segmentation network of ours: metrics on the features of its deepest layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.evaluation.sets.coverage import coverage_metrics
from services.evaluation.sets.field import Field
from services.evaluation.sets.kernel_distance import kernel_distance
from services.evaluation.sets.metric import Features, Measure, SetMetric
from services.evaluation.sets.windows import WINDOW_PX, cut_windows
from services.segmentation.learned.normalisation import normalised

# From windows (n, 128, 128), normalised with their field, to features (n, d).
Describe: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float64]]
MOST_PER_FIELD = 8
_BY = "features of our segmenter"


def measured_by(describe: Describe) -> Measure:
    """Features of at most 8 windows of a field; none of a field smaller than a window."""

    def measure(field: Field) -> Features:
        windows = cut_windows(normalised(field.image), WINDOW_PX, MOST_PER_FIELD)
        return describe(np.stack(windows)) if windows else np.empty((0, 1))

    return measure


def segmenter_metrics(describe: Describe | None) -> tuple[SetMetric, ...]:
    """Kernel distance, precision, recall, density and coverage; None: there is no network.

    The kernel distance is KID (Binkowski et al., ICLR, 2018) on another network's features than Inception's, so its
    values compare with no published KID. The network normalises brightness: it sees structure and texture.
    """
    measure, absent = (measured_by(describe), "") if describe else (_unseen, "no network was given")
    return (
        kernel_distance("segmenter", _BY, measure, absent),
        *coverage_metrics("segmenter", _BY, measure, absent),
    )


def _unseen(_: Field) -> Features:
    return np.empty((0, 1))
