"""Which numbers hyper-parameters may be: with others a training would fail late, or learn nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.common.errors import ConfigError


@dataclass(frozen=True)
class Bounds:
    """told: which values a hyper-parameter may have, after its name; hold: whether one is among them."""

    told: str
    hold: Callable[[Any], bool]


def between(low: float, high: float = math.inf) -> Bounds:
    """Finite numbers from `low` to `high`, both included.

    >>> between(1).told, between(0, 1).told
    ('from 1', 'from 0 to 1')
    """
    told = f"from {low}" if high == math.inf else f"from {low} to {high}"
    return Bounds(told, lambda one: low <= one <= high and one < math.inf)  # false for NaN


ABOVE_0 = Bounds("above 0", lambda one: 0 < one < math.inf)
SHARE = between(0, 1)
SEED = Bounds("from 0 to 2^64 - 1", lambda one: 0 <= one < 2**64)  # what torch takes


def each(one: Bounds) -> Bounds:
    """Several numbers, each within `one`."""
    return Bounds(f"each {one.told}", lambda many: all(one.hold(value) for value in many))


def range_of(one: Bounds) -> Bounds:
    """The two ends of a range, each within `one`."""
    return Bounds(
        f"as two numbers {one.told}, the second not below the first",
        lambda ends: len(ends) == 2 and all(one.hold(value) for value in ends) and ends[0] <= ends[1],
    )


def check_bounds(config: Any, bounds: Mapping[str, Bounds]) -> None:
    """Raise ConfigError for a field of a dataclass that is out of its bounds.

    >>> from types import SimpleNamespace
    >>> check_bounds(SimpleNamespace(steps=0), {"steps": between(1)})
    Traceback (most recent call last):
    services.common.errors.ConfigError: expected steps from 1; got 0
    """
    for name, bound in bounds.items():
        if not bound.hold(value := getattr(config, name)):
            raise ConfigError(f"expected {name} {bound.told}; got {value!r:.40}")
