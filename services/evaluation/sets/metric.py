"""What a set metric is: fields are measured once and compared many times, as bootstrapping needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.evaluation.sets.field import Field

Features: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.intp]
Direction: TypeAlias = Literal["lower", "higher", "two-sided"]
Scale: TypeAlias = Literal["log", "linear"]
# Value, and the limits of its interval.
Ceiling: TypeAlias = tuple[float, float, float]
# The figure of a choice of real fields and of other fields, by index; the same index may come several times. NaN where
# the choice has none.
Statistic: TypeAlias = Callable[[Indices, Indices], float]


class Unavailable(Exception):  # noqa: N818  (a word of the domain, as those of services.common.errors)
    """The metric cannot be computed for these sets; the message is the reason. It never leaves this package."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured on a field. features: (n, d) float64; NaN where a row lacks a value, such as a neighbour."""

    name: str
    features: Features


Measure: TypeAlias = Callable[[Field], Features]
Prepare: TypeAlias = Callable[[Sequence[Measured], Sequence[Measured]], Statistic]


@dataclass(frozen=True, eq=False)
class SetMetric:
    """One figure about a set of images beside a set of real ones.

    what: what it says, in a plain sentence. direction: which values are good. needs_labels: whether it reads labels.
    needs: what a field must have, for the reason where none has it. measure: the features of one field, (n, d); n may
    be 0. Metrics that share it share its work. prepare: does what depends on two whole sets, such as fitting a
    classifier, and returns the figure as a function of chosen fields. scale: "log" for a distance, whose ratios say how
    far off it is; "linear" for a share, a score or what may be 0. floors: sets that are worse on purpose in what it
    looks at, by name (degraded.py). least_fields: that each set must have. absent: why the metric is not there this
    time; empty where it is. ceiling: real against real, from the real set and a seed, where random halves of it are not
    what the figure is to be held against; None: halves are. of_one_set: the figure is of the other set
    alone, and real images tell what is usual.
    """

    name: str
    what: str
    direction: Direction
    needs_labels: bool
    needs: str
    measure: Measure
    prepare: Prepare
    scale: Scale = "log"
    floors: tuple[str, ...] = ("blurred", "flat_paint")
    least_fields: int = 1
    absent: str = ""
    of_one_set: bool = False
    ceiling: Callable[[Sequence[Measured], int], Ceiling | None] | None = None

    def usable(self, measured: Sequence[Measured], which: str) -> list[Measured]:
        """Those with any features. Raises Unavailable where there are fewer than `least_fields`."""
        kept = [one for one in measured if len(one.features)]
        if len(kept) < self.least_fields:
            least = f"{self.least_fields} field{'s' * (self.least_fields > 1)}"
            raise Unavailable(f"needs at least {least} with {self.needs} in each set; the {which} set has {len(kept)}")
        return kept

    def compare(self, real: Sequence[Measured], other: Sequence[Measured]) -> float:
        """The figure of `other` beside `real`; finite. Raises Unavailable with the reason where there is none."""
        real, other = self.usable(real, "real"), self.usable(other, "other")
        return finite(self.prepare(real, other)(everyone(real), everyone(other)))


def finite(value: float) -> float:
    """The value. Raises Unavailable for one that is no number."""
    if not np.isfinite(value):
        raise Unavailable("the sets hold too little to compute it from")
    return float(value)


def everyone(measured: Sequence[Measured]) -> Indices:
    """The choice of each field once."""
    return np.arange(len(measured))


def mean_of_chosen(values: NDArray[np.float64]) -> Statistic:
    """The mean, over resampled fields of the other set, of a value that each has. values: (fields,)."""

    def statistic(_: Indices, chosen: Indices) -> float:
        return float(values[chosen].mean())

    return statistic


def field_means(measured: Sequence[Measured]) -> Features:
    """(fields, d): the mean of each field's rows."""
    return np.stack([one.features.mean(0) for one in measured])
