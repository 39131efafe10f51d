"""What became of wounds, in sentences."""

from __future__ import annotations

from services.cli.wounds.course import CLOSED, FAILED, NO_WOUND, Course
from services.cli.wounds.frames import Series
from services.segmentation.closure import HALF, Estimate


def gap(series: Series) -> str:
    """Say which frames are not there."""
    numbers = ", ".join(map(str, series.missing))
    return f"{series.name}: no frame of number {numbers}; times of the others are kept"


def summary(course: Course) -> str:
    """Say how a wound closed.

    >>> summary(Course(Series("B5", (), (), ()), (), None))
    'B5: no frame could be looked at'
    """
    name = course.series.name
    if course.state == FAILED:
        return f"{name}: no frame could be looked at"
    if course.state == NO_WOUND:
        return (
            f"{name}: no wound in its first frame, no band without cells from one side to the opposite one; where it "
            "has another shape: --any-shape"
        )
    last = course.known[-1]
    end = (
        f"closed at {course.closed_hours:g} h" if last.state == CLOSED else f"{course.closure[last.hours]:.1f} % closed"
    )
    return f"{name}: {len(course.known)} frames to {last.hours:g} h, {end}; {_rate(course)}; {_half(course)}"


def _rate(course: Course) -> str:
    rate = course.rate
    if rate is None:
        return "no rate, which needs two frames before it is closed"
    return f"{rate.value:.3g} % an hour{_interval(rate)}, from {rate.n} frames"


def _interval(rate: Estimate) -> str:
    if rate.low is None or rate.high is None:
        return ", no interval of fewer than three frames"
    return f" (95 %: {rate.low:.3g} to {rate.high:.3g})"


def _half(course: Course) -> str:
    hours = course.half_hours
    return f"not {HALF:g} % closed by then" if hours is None else f"half closed at {hours:.3g} h"
