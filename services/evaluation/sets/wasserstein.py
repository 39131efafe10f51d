"""The distance between two sets of a few quantities: Wasserstein-1, each in units of the real set's deviation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.evaluation.sets.metric import Indices, Measured, Prepare, Statistic, Unavailable

# Distribution functions are kept at so many points; up to as many values they are exact.
GRID = 1024


def scaled_wasserstein(least_units: Sequence[float]) -> Prepare:
    """The mean over columns of W1 / unit, where the unit is the real set's standard deviation of the column.

    least_units: one for each column of the features, the least unit: where all real values are equal, a difference
    that nobody sees would be infinitely many deviations. Rows of all fields are pooled; NaN is left out, as is a column
    of which one set has nothing. The units are those of the whole real set, whichever fields are chosen.
    """

    def prepare(real: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
        distances = [
            one
            for column, least in enumerate(least_units)
            if (one := _distance(_values(real, column), _values(other, column), least)) is not None
        ]
        if not distances:
            raise Unavailable("one of the sets has no values")

        def statistic(chosen_real: Indices, chosen: Indices) -> float:
            found = np.array([distance(chosen_real, chosen) for distance in distances])
            return float(found[np.isfinite(found)].mean()) if np.isfinite(found).any() else float("nan")

        return statistic

    return prepare


def _values(measured: Sequence[Measured], column: int) -> list[NDArray[np.float64]]:
    columns = (one.features[:, column] for one in measured)
    return [np.sort(values[~np.isnan(values)]) for values in columns]


def _distance(
    real: Sequence[NDArray[np.float64]], other: Sequence[NDArray[np.float64]], least: float
) -> Statistic | None:
    """W1 of one column, by the integral of |F - G| (Vallender, Theory Prob. Appl. 18, 784, 1974)."""
    first, second = np.concatenate(real), np.concatenate(other)
    if not (first.size and second.size):
        return None
    grid = _grid(np.concatenate([first, second]))
    counts, other_counts = (_cumulated(values, grid) for values in (real, other))
    steps = np.diff(grid) / max(float(first.std()), least)

    def statistic(chosen_real: Indices, chosen: Indices) -> float:
        f, g = counts[chosen_real].sum(0, np.float64), other_counts[chosen].sum(0, np.float64)
        if not (f[-1] and g[-1]):
            return float("nan")
        return float((np.abs(f / f[-1] - g / g[-1])[:-1] * steps).sum())

    return statistic


def _grid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    grid = np.unique(values)
    if grid.size <= GRID:
        return grid
    # Quantiles are dense where values are, equal steps reach into the tails.
    steps = np.linspace(0, 1, GRID // 2)
    return np.unique(np.concatenate([np.quantile(values, steps), grid[0] + (grid[-1] - grid[0]) * steps]))


def _cumulated(values: Sequence[NDArray[np.float64]], grid: NDArray[np.float64]) -> NDArray[np.unsignedinteger]:
    """(fields, grid): how many of a field's values are at most each point; all of them at the last."""
    # In the smallest type that holds them: of many fields, these tables take more memory than all else.
    kind = np.min_scalar_type(max(len(each) for each in values))
    return np.stack([np.searchsorted(each, grid, side="right").astype(kind) for each in values])
