"""What tells two sets of images apart: the features of their windows that differ most, each alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.evaluation.sets.bootstrap import bootstrap_interval
from services.evaluation.sets.metric import Measured, Statistic, Unavailable, everyone
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
    medians = np.median(first, 0), np.median(second, 0)

    def statistic(column: int) -> Statistic:
        return area_under_roc(
            FieldScores(first[:, column], first_owners, len(real)),
            FieldScores(second[:, column], second_owners, len(other)),
            all_pairs,
        )

    areas = [statistic(column)(everyone(real), everyone(other)) for column in range(len(NAMES))]

    def tells(column: int) -> tuple[float, float]:
        """How much; of features that part all windows, the one whose medians differ most."""
        return abs(areas[column] - 0.5), abs(medians[1][column] - medians[0][column])

    columns = [max((NAMES.index(name) for name in kind), key=tells) for kind in KINDS]
    return tuple(
        TellingFeature(
            NAMES[column],
            areas[column],
            # Not of every feature: tables of pairs of fields are large, and 200 resamples take their time.
            bootstrap_interval(statistic(column), *names, resamples, seed),
            float(medians[0][column]),
            float(medians[1][column]),
        )
        for column in sorted(columns, key=tells, reverse=True)
    )
