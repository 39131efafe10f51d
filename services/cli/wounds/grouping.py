"""Means over the series of a group: of closure at each time, of rates and of half-closing times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.cli.wounds.course import Course
from services.segmentation.closure import Estimate, mean

CLOSURE = "closure_percent"


@dataclass(frozen=True)
class Mean:
    """Of one quantity in one group, over its series; hours: at which time, None for what a series has one of."""

    group: str
    quantity: str
    hours: float | None
    estimate: Estimate


def group_means(courses: Sequence[Course]) -> list[Mean]:
    """All means, by group, quantity and time; a series without the quantity counts in none of it."""
    values: dict[tuple[str, str, float | None], list[float]] = defaultdict(list)
    for course in courses:
        for quantity, hours, value in _quantities(course):
            values[course.group, quantity, hours].append(value)
    order = sorted(values, key=lambda key: (*key[:2], key[2] or 0.0))
    return [Mean(*key, mean(values[key])) for key in order]


def _quantities(course: Course) -> Iterator[tuple[str, float | None, float]]:
    for hours, closed in course.closure.items():
        yield CLOSURE, hours, closed
    for name, estimate in (("rate_percent_per_h", course.rate), ("narrowing_px_per_h", course.narrowing)):
        if estimate is not None:
            yield name, None, estimate.value
    if course.half_hours is not None:
        yield "half_closing_h", None, course.half_hours
