"""Memorisation: windows that are nearer to the training images than real images of other fields are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from services.evaluation.sets.metric import Features, Indices, Measured, Prepare, SetMetric, Statistic, Unavailable
from services.evaluation.sets.window_features import DEVIATION, NEEDS, measure_windows, standardised
from services.evaluation.sets.windows import need_windows

PERCENTILE = 1.0
_LEAST_DEVIATION = 1 / 255  # of a window's greys: bare ground is like bare ground, and nobody's copy


def count_copies(train: Sequence[Measured]) -> Prepare:
    """Share of windows whose nearest training window is no farther than the 1st percentile of real windows' nearest.

    After the nearest-neighbour test of Meehan, Chaudhuri & Dasgupta (AISTATS, 2020), with a percentile for their rank
    test. Features are standardised by the training windows'. They hardly change with place, so a piece copied
    elsewhere is found too. Windows whose greys deviate by less than a grey level are left out. 0.01 is what real images
    have of themselves.
    """

    def prepare(real: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
        need_windows(real)
        points = np.concatenate([_with_contrast(one) for one in train])
        if not len(points):
            raise Unavailable(f"no training field has {NEEDS} with contrast")
        tree = cKDTree(standardised(points, points))

        def nearest(one: Measured) -> NDArray[np.float64]:
            return np.asarray(tree.query(standardised(_with_contrast(one), points))[0], np.float64)

        usual, found = [nearest(one) for one in real], [nearest(one) for one in other]

        def statistic(chosen_real: Indices, chosen: Indices) -> float:
            expected, here = (
                np.concatenate([distances[index] for index in indices])
                for distances, indices in ((usual, chosen_real), (found, chosen))
            )
            if not (len(expected) and len(here)):
                return float("nan")
            return float((here <= np.percentile(expected, PERCENTILE)).mean())

        return statistic

    return prepare


def _with_contrast(one: Measured) -> Features:
    return one.features[one.features[:, DEVIATION] >= _LEAST_DEVIATION]


def memorisation(train: Sequence[Measured]) -> SetMetric:
    """The metric for a training set, measured; none: there is no such metric."""
    return SetMetric(
        name="memorisation",
        what="Share of windows nearer to a training image than 99 % of held-out real windows are; 0.01 is usual.",
        direction="lower",
        needs_labels=False,
        needs=NEEDS,
        measure=measure_windows,
        prepare=count_copies(train),
        scale="linear",
        floors=("training_images",),
        absent="" if train else "no training set was given",
    )
