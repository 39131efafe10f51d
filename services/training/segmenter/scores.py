"""How well a segmenter does on held-out fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels
from services.evaluation.average_precision import average_precision
from services.evaluation.sets.bootstrap import mean_interval

Estimate: TypeAlias = tuple[float, float | None, float | None]


@dataclass(frozen=True)
class Score:
    """Average precision over fields: (value, low, high) each, 95 % intervals by resampling fields; one has none."""

    fields: int
    ap50: Estimate
    ap75: Estimate
    mean_ap: Estimate


def score(
    fields: Sequence[tuple[NDArray[np.uint8], Labels]], find: Callable[[NDArray[np.uint8]], Labels], seed: int = 0
) -> Score:
    """Score a segmenter. fields: images (H, W) and true labels (H, W), at least one."""
    values = np.array([average_precision(labels, find(image)) for image, labels in fields])
    columns = (values[:, 0], values[:, 5], values.mean(1))
    return Score(len(values), *(_with_interval(column, seed) for column in columns))


def in_words(estimate: Estimate) -> str:
    """An estimate as tables have it.

    >>> in_words((0.5, 0.4, 0.6)), in_words((0.5, None, None))
    ('0.500 (0.400 to 0.600)', '0.500')
    """
    value, low, high = estimate
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _with_interval(values: NDArray[np.float64], seed: int) -> Estimate:
    return float(values.mean()), *(mean_interval(values, seed) if len(values) > 1 else (None, None))
