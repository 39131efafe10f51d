"""What tells two sets of images apart: the features of their windows that differ most, each alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.evaluation.sets.bootstrap import bootstrap_interval
from services.evaluation.sets.metric import Measured, Unavailable, everyone
from services.evaluation.sets.two_sample import FieldScores, area_under_roc
from services.evaluation.sets.window_features import KINDS, NAMES
from services.evaluation.sets.windows import chosen_windows, need_windows


@dataclass(frozen=True)
class TellingFeature:
    """A feature of windows. area: share of pairs of a real and a generated window in which the generated one has more.

    An area of 0.5 tells nothing. interval: of the area, 95 %, over fields. real, generated: medians over windows.
    """

    name: str
    area: float
    interval: tuple[float, float] | None
    real: float
    generated: float


def telling_features(
    real: Sequence[Measured], other: Sequence[Measured], resamples: int, seed: int
) -> tuple[TellingFeature, ...]:
    """Of each kind of feature the one that tells most, the most telling first; () for sets with too few windows.

    real, other: of `measure_windows`.
    """
    real, other = ([one for one in measured if len(one.features)] for measured in (real, other))
    try:
        need_windows(real, other)
    except Unavailable:
        return ()
    (first, first_owners), (second, second_owners) = chosen_windows(real), chosen_windows(other)
    all_pairs = np.ones((len(second), len(first)), np.bool_)
    names = [one.name for one in real], [one.name for one in other]

    def told(column: int) -> TellingFeature:
        statistic = area_under_roc(
            FieldScores(first[:, column], first_owners, len(real)),
            FieldScores(second[:, column], second_owners, len(other)),
            all_pairs,
        )
        return TellingFeature(
            NAMES[column],
            statistic(everyone(real), everyone(other)),
            bootstrap_interval(statistic, *names, resamples, seed),
            float(np.median(first[:, column])),
            float(np.median(second[:, column])),
        )

    features = [told(column) for column in range(len(NAMES))]
    best = [max((one for one in features if one.name in kind), key=_telling) for kind in KINDS]
    return tuple(sorted(best, key=_telling, reverse=True))


def _telling(feature: TellingFeature) -> tuple[float, float]:
    """How much it tells; of those that part all windows, the one whose medians differ most."""
    return abs(feature.area - 0.5), abs(feature.generated - feature.real)
