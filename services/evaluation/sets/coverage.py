"""Precision, recall, density, coverage: whether each set lies where the other one does, by nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from services.evaluation.sets.metric import Features, Indices, Measure, Measured, Prepare, SetMetric, Statistic
from services.evaluation.sets.window_features import NEEDS, standardised
from services.evaluation.sets.windows import chosen_windows, need_windows

NEIGHBOURS = 5


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """Two sets of n and m points with the distance of each to its 5th nearest neighbour in its own set.

    between: (m, n), from points of the other set to real ones. real_radii: (n,). other_radii: (m,).
    """

    between: NDArray[np.float64]
    real_radii: NDArray[np.float64]
    other_radii: NDArray[np.float64]

    def precision(self) -> NDArray[np.float64]:
        """(m,): 1 for a point within the radius of some real point."""
        return np.asarray((self.between < self.real_radii).any(1), np.float64)

    def recall(self) -> NDArray[np.float64]:
        """(n,): 1 for a real point within the radius of some point of the other set."""
        return np.asarray((self.between < self.other_radii[:, None]).any(0), np.float64)

    def density(self) -> NDArray[np.float64]:
        """(m,): of how many real points it is within the radius, in units of 5; about 1 where real points are dense."""
        return np.asarray((self.between < self.real_radii).sum(1) / NEIGHBOURS, np.float64)

    def coverage(self) -> NDArray[np.float64]:
        """(n,): 1 for a real point with some point of the other set within its radius."""
        return np.asarray((self.between < self.real_radii).any(0), np.float64)


def neighbourhoods(real: Features, other: Features) -> Neighbourhoods:
    """Distances between and radii within two sets. real: (n, d), other: (m, d), more than 5 points each."""
    # Column 0 of the sorted distances is the point itself.
    radii = [np.sort(cdist(points, points), 1)[:, NEIGHBOURS] for points in (real, other)]
    return Neighbourhoods(cdist(other, real), radii[0], radii[1])


def _mean_of(share: Callable[[Neighbourhoods], NDArray[np.float64]], of_real: bool) -> Prepare:
    """The mean over windows. Neighbourhoods stay those of the whole sets: copies of a window would be neighbours."""

    def prepare(real: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
        need_windows(real, other)
        (first, first_owners), (second, second_owners) = chosen_windows(real), chosen_windows(other)
        # Not cut off: what is far from all real windows would be moved to where the oddest of them lie, as if near.
        uncut = (standardised(features, first, np.inf) for features in (first, second))
        found = share(neighbourhoods(*uncut))
        owners = first_owners if of_real else second_owners
        counts, sums = np.bincount(owners).astype(np.float64), np.bincount(owners, found)

        def statistic(chosen_real: Indices, chosen: Indices) -> float:
            here = chosen_real if of_real else chosen
            return float(sums[here].sum() / counts[here].sum())

        return statistic

    return prepare


# Precision and recall: Kynkaanniemi et al. (NeurIPS, 2019). Density and coverage: Naeem et al. (ICML, 2020).
_FIGURES = (
    ("precision", "Share of windows that lie where real ones do", Neighbourhoods.precision, False),
    ("recall", "Share of real windows that lie where the other set's do", Neighbourhoods.recall, True),
    (
        "density",
        "How densely real windows lie round the other set's; 1 is as densely as real ones do",
        Neighbourhoods.density,
        False,
    ),
    ("coverage", "Share of real windows that have one of the other set near", Neighbourhoods.coverage, True),
)


def coverage_metrics(prefix: str, by: str, measure: Measure, absent: str = "") -> tuple[SetMetric, ...]:
    """The four metrics on features of windows. prefix: of their names; by: whose features, in words."""
    return tuple(
        SetMetric(
            name=f"{prefix}_{name}",
            what=f"{what}, by {by}.",
            direction="higher",
            needs_labels=False,
            needs=NEEDS,
            measure=measure,
            prepare=_mean_of(share, of_real),
            scale="linear",
            absent=absent,
        )
        for name, what, share, of_real in _FIGURES
    )
