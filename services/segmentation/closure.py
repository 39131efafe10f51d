"""How fast wounds close: a straight line through the early phase, its interval, and when half of the wound is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

HALF = 50.0  # percent of the first area
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; low and high are None where there are too few values for one. n: how many."""

    value: float
    low: float | None
    high: float | None
    n: int


def closure_percent(areas: Sequence[float]) -> NDArray[np.float64]:
    """100 (1 - A / A0), (n,); below 0 where the wound is larger than at first. areas: the first of them above 0.

    >>> closure_percent([200, 150, 0]).tolist()
    [0.0, 25.0, 100.0]
    """
    return 100 * (1 - np.asarray(areas, np.float64) / areas[0])


def early_phase(closure: NDArray[np.float64]) -> int:
    """How many frames the straight line goes through: up to the first that is half closed, itself included.

    All where none is. Closed frames are left out: when they closed is not seen. closure: (n,) in percent.

    >>> early_phase(np.array([0.0, 20.0, 55.0, 80.0])), early_phase(np.array([0.0, 100.0]))
    (3, 1)
    """
    half = np.flatnonzero(closure >= HALF)
    count = int(half[0]) + 1 if half.size else len(closure)
    return count - 1 if closure[count - 1] >= 100 else count


def slope(hours: NDArray[np.float64], values: NDArray[np.float64]) -> Estimate | None:
    """Change of `values` (n,) an hour by ordinary least squares; None of fewer than 2, no interval of fewer than 3.

    The interval is by Student's t with n - 2 degrees of freedom, as of independent errors of one variance.

    >>> slope(np.array([0.0, 1.0]), np.array([5.0, 3.0]))
    Estimate(value=-2.0, low=None, high=None, n=2)
    """
    n = len(hours)
    if n < 2:
        return None
    centred = hours - hours.mean()
    spread = float(centred @ centred)
    value = float(centred @ values) / spread
    if n < 3:
        return Estimate(value, None, None, n)
    rest = values - values.mean() - value * centred
    error = float(np.sqrt(rest @ rest / (n - 2) / spread))
    return _estimate(value, error, n - 2, n)


def mean(values: Sequence[float]) -> Estimate:
    """Mean of independent values, one or more, with Student's interval; none for a single one.

    >>> mean([4.0])
    Estimate(value=4.0, low=None, high=None, n=1)
    """
    n = len(values)
    if n < 2:
        return Estimate(float(values[0]), None, None, n)
    return _estimate(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(n)), n - 1, n)


def half_closing_hours(hours: NDArray[np.float64], closure: NDArray[np.float64]) -> float | None:
    """When closure first reaches 50 %, between frames on a straight line; None where it never does. Both (n,).

    >>> half_closing_hours(np.array([0.0, 2.0, 4.0]), np.array([0.0, 25.0, 75.0]))
    3.0
    """
    reached = np.flatnonzero(closure >= HALF)
    if not reached.size:
        return None
    at = int(reached[0])
    share = (HALF - closure[at - 1]) / (closure[at] - closure[at - 1])
    return float(hours[at - 1] + share * (hours[at] - hours[at - 1]))


def _estimate(value: float, error: float, freedom: int, n: int) -> Estimate:
    reach = float(student.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    return Estimate(value, value - reach, value + reach, n)
