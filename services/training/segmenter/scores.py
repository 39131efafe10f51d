"""How well a segmenter does on held-out fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels
from services.evaluation.average_precision import average_precision
from services.evaluation.sets.bootstrap import mean_interval


@dataclass(frozen=True)
class Score:
    """Average precision over fields: (value, low, high) each, 95 % intervals by resampling fields."""

    fields: int
    ap50: tuple[float, float, float]
    ap75: tuple[float, float, float]
    mean_ap: tuple[float, float, float]


def score(
    fields: Sequence[tuple[NDArray[np.uint8], Labels]], find: Callable[[NDArray[np.uint8]], Labels], seed: int = 0
) -> Score:
    """Score a segmenter. fields: images (H, W) and true labels (H, W), at least one."""
    values = np.array([average_precision(labels, find(image)) for image, labels in fields])
    columns = (values[:, 0], values[:, 5], values.mean(1))
    return Score(len(values), *(_with_interval(column, seed) for column in columns))


def _with_interval(values: NDArray[np.float64], seed: int) -> tuple[float, float, float]:
    return float(values.mean()), *mean_interval(values, seed)
