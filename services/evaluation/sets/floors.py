"""What a figure lies between, real against real (the ceiling) and the floors of degraded.py, and what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np

from services.evaluation.sets.bootstrap import LIMITS
from services.evaluation.sets.metric import Ceiling, Direction, Measured, Scale, SetMetric, Unavailable

Verdict: TypeAlias = Literal["like real", "distinguishable", "unusable"]

SPLITS = 10
# A distance may be so many times the ceiling's.
TOLERANCE = 1.5
_SMALLEST = 1e-9  # below it, distances are 0


def measure_ceiling(metric: SetMetric, real: Sequence[Measured], seed: int) -> Ceiling | None:
    """Random halves of the real fields against each other: mean and 95 % interval over 10 splits by seed.

    None where most halves are too small for the metric. Halves are smaller than the sets, and distances of small sets
    are larger: the ceiling is lenient rather than strict. Of a figure of one set alone the interval is wider by
    the root of 2, since halves of a set differ from it less than another set of its size does, and it holds the whole
    set's own figure. A metric may have a ceiling of its own instead.
    """
    if metric.ceiling is not None:
        return metric.ceiling(real, seed)
    generator, values = np.random.default_rng(seed), []
    for _ in range(SPLITS):
        order = generator.permutation(len(real))
        first, second = np.split(order, [len(real) // 2])
        try:
            values.append(metric.compare([real[at] for at in first], [real[at] for at in second]))
        except Unavailable:
            continue
    if 2 * len(values) < SPLITS:
        return None
    mean, low, high = float(np.mean(values)), *np.percentile(values, LIMITS)
    if metric.of_one_set:
        own = metric.compare(real, real)
        low = min(mean - np.sqrt(2) * (mean - low), own)
        high = max(mean + np.sqrt(2) * (high - mean), own)
    return mean, float(low), float(high)


def verdict(value: float, ceiling: Ceiling, floor: float | None, direction: Direction, scale: Scale = "log") -> Verdict:
    """Where a figure lies between ceiling and floor.

    Like real: for "lower", at most the upper limit of the ceiling's interval or, for distances (scale "log"), at most
    1.5 times the ceiling; for "higher", at least the interval's lower limit; for "two-sided", within the interval.
    Unusable: not like real, and nearer to the floor than to the ceiling, by logarithms for distances and by differences
    else. Distinguishable: neither. Where a distance's interval reaches down to 0 or below, its upper limit stands for
    the ceiling there. floor: as `floor_for` chooses it; None: there is none, so nothing is unusable.

    >>> [verdict(value, (0.1, 0.08, 0.12), 1.6, "lower") for value in (0.15, 0.3, 0.5)]
    ['like real', 'distinguishable', 'unusable']
    """
    if _like_real(value, ceiling, direction, scale):
        return "like real"
    if floor is None:
        return "distinguishable"
    place, best, worst = (_place(each, scale) for each in (value, _best(ceiling, scale), floor))
    return "unusable" if abs(place - worst) < abs(place - best) else "distinguishable"


def floor_for(
    value: float, ceiling: Ceiling, floors: Mapping[str, float], direction: Direction, scale: Scale
) -> float | None:
    """The floor that a figure is held to: the farthest from the ceiling, of those on the figure's side of it.

    Floors that are like real themselves say nothing and do not count; nor do those hardly beyond it, less than twice as
    far from the ceiling as its interval's limit on that side, but for a figure that is as far out as that and beyond
    them all. None where none is left.

    >>> floor_for(0.9, (0.5, 0.4, 0.6), {"blurred": 1.0, "flat_paint": 0.95, "other": 0.3}, "lower", "linear")
    1.0
    >>> [floor_for(value, (0.5, 0.4, 0.9), {"blurred": 0.95}, "lower", "linear") for value in (0.93, 2.0)]
    [None, 0.95]
    """
    best, low, high = ceiling
    above = value > best
    least = 2 * abs((high if above else low) - best)
    there = [
        floor
        for floor in floors.values()
        if (floor > best) == above and not _like_real(floor, ceiling, direction, scale)
    ]
    telling = [floor for floor in there if abs(floor - best) >= least]
    if not telling and abs(value - best) >= max([least, *(abs(floor - best) for floor in there)]):
        telling = there
    return max(telling, key=lambda floor: abs(floor - best), default=None)


def _like_real(value: float, ceiling: Ceiling, direction: Direction, scale: Scale) -> bool:
    best, low, high = ceiling
    if direction == "two-sided":
        return low <= value <= high
    if direction == "higher":
        return value >= low
    return value <= max(high, TOLERANCE * best if scale == "log" else high)


def _best(ceiling: Ceiling, scale: Scale) -> float:
    best, low, high = ceiling
    return high if scale == "log" and low <= 0 else best


def _place(value: float, scale: Scale) -> float:
    return float(np.log(max(value, _SMALLEST))) if scale == "log" else value
