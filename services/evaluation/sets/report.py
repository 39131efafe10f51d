"""What a comparison of two sets found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import Ceiling, Direction, Features, Measured, field_means
from services.evaluation.sets.telling import TellingFeature


@dataclass(frozen=True)
class SetFigure:
    """One metric's figure of the generated set, and what it lies between.

    value: None where the metric is unavailable; then there is nothing else. interval: of the value, 95 %, over fields.
    ceiling: real against real, (value, low, high). floors: figures of degraded real sets, by name. verdict: "like
    real", "distinguishable" or "unusable"; "" where there is no value or no ceiling. unavailable: why there is none.
    """

    name: str
    what: str
    direction: Direction
    value: float | None = None
    interval: tuple[float, float] | None = None
    ceiling: Ceiling | None = None
    floors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    verdict: str = ""
    unavailable: str = ""


@dataclass(frozen=True)
class SetStatistics:
    """Of the mean grey of a set's fields, on 0..1: mean, sample standard deviation (sd), coefficient of variation (cv).

    sd and cv are None for one field, cv also for a set that is black.
    """

    mean: float
    sd: float | None
    cv: float | None


@dataclass(frozen=True)
class SetReport:
    """All figures, in the order of the catalogue; of each set ("real", "generated") statistics and spectrum.

    spectra: the mean over fields of the log10 radial spectrum of 128 px windows, at 1 to 63 cycles a window; () for a
    set of smaller fields. telling: features of windows that differ most.
    """

    figures: tuple[SetFigure, ...]
    statistics: Mapping[str, SetStatistics]
    spectra: Mapping[str, tuple[float, ...]]
    telling: tuple[TellingFeature, ...]


def measure_grey(field: Field) -> Features:
    """The mean grey of a field, (1, 1)."""
    return np.array([[field.image.mean(dtype=np.float64)]])


def set_statistics(greys: Sequence[Measured]) -> SetStatistics:
    """Statistics of what `measure_grey` gave.

    >>> set_statistics([Measured("a", np.array([[0.25]])), Measured("b", np.array([[0.75]]))])
    SetStatistics(mean=0.5, sd=0.3535..., cv=0.7071...)
    """
    values = field_means(greys)[:, 0]
    mean = float(values.mean())
    sd = float(values.std(ddof=1)) if len(values) > 1 else None
    return SetStatistics(mean, sd, sd / mean if sd is not None and mean > 0 else None)


def mean_spectrum(spectra: Sequence[Measured]) -> tuple[float, ...]:
    """The mean over fields of what `measure_spectrum` gave; () where no field was large enough."""
    known = [one for one in spectra if len(one.features)]
    return tuple(field_means(known).mean(0).tolist()) if known else ()
