"""How far a figure may move by which fields happen to be in the sets: percentile bootstrap over fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from services.evaluation.sets.metric import Indices, Statistic

RESAMPLES = 200
LIMITS = (2.5, 97.5)


def bootstrap_interval(
    statistic: Statistic, real: Sequence[str], other: Sequence[str], resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """95 % percentile interval (Efron, Annals of Statistics 7, 1, 1979) of a figure.

    real, other: names of the fields. Fields are resampled, never windows or objects: those of a field are alike. Where
    both sets have the same names, pairs are resampled, since a pair shares its labels; otherwise each set is on its
    own. What was fitted to whole sets (classifiers, neighbourhoods) is not fitted anew, so their intervals tell of the
    fields alone. None for fewer than two fields in a set, no resamples, or a figure that most resamples have not.

    >>> values = np.arange(50.0)
    >>> low, high = bootstrap_interval(lambda _, chosen: values[chosen].mean(), "ab", [str(n) for n in range(50)])
    >>> low < 24.5 < high
    True
    """
    if min(len(real), len(other)) < 2 or resamples < 1:
        return None
    found = np.array([statistic(*chosen) for chosen in _draws(real, other, resamples, seed)])
    found = found[np.isfinite(found)]
    if 2 * len(found) < resamples:
        return None
    low, high = np.percentile(found, LIMITS)
    return float(low), float(high)


def mean_interval(values: NDArray[np.float64], seed: int = 0, resamples: int = 1000) -> tuple[float, float]:
    """95 % percentile interval of a mean, one value a field, by resampling fields. values: (n,), at least one.

    >>> low, high = mean_interval(np.arange(50.0))
    >>> low < 24.5 < high
    True
    """
    chosen = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    low, high = np.percentile(values[chosen].mean(1), LIMITS)
    return float(low), float(high)


def _draws(real: Sequence[str], other: Sequence[str], resamples: int, seed: int) -> Iterator[tuple[Indices, Indices]]:
    generator = np.random.default_rng(seed)
    places = {name: index for index, name in enumerate(other)}
    partners = np.array([places[name] for name in real]) if places.keys() == set(real) else None
    for _ in range(resamples):
        chosen = generator.integers(len(real), size=len(real))
        yield chosen, generator.integers(len(other), size=len(other)) if partners is None else partners[chosen]
