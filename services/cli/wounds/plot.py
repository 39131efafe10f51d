"""Closure over time as a PNG: every series with its straight line, and groups with their means and intervals."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from services.cli.wounds.course import Course
from services.cli.wounds.grouping import CLOSURE, Mean
from services.evaluation.report.plots import Look, drawing, look
from services.segmentation.closure import HALF

_DOTS_PER_INCH = 150
_MOST_NAMED = 12  # series in the legend; groups always are


def closure_plot(courses: Sequence[Course], means: Sequence[Mean]) -> bytes:
    """Draw percent closed over hours. means: of the groups; without groups, each series has a colour."""
    groups = sorted({course.group for course in courses} - {""})
    with drawing(height=3.2, width=6.4, left=0.62, below=0.5) as (axes, drawn):
        axes.axhline(HALF, color="#8a929a", linewidth=0.7, linestyle=":")
        for index, course in enumerate(courses):
            style = look(groups.index(course.group) if groups else index)
            _series(axes, course, style, faint=bool(groups), named=len(courses) <= _MOST_NAMED)
        for index, group in enumerate(groups):
            _group(axes, group, [mean for mean in means if mean.group == group], look(index))
        axes.set_xlabel("time (h)")
        axes.set_ylabel("wound closed (%)")
        axes.grid()
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8, frameon=False)
        file = io.BytesIO()
        drawn.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


def _series(axes: Axes, course: Course, style: Look, faint: bool, named: bool) -> None:
    """faint: a thin line behind that of its group."""
    hours, closed = [*course.closure], [*course.closure.values()]
    if faint:
        axes.plot(hours, closed, color=style.colour, alpha=0.35, linewidth=0.8)
        return
    name = _plain(course.series.name) if named else None
    axes.plot(hours, closed, style.marker, color=style.colour, markersize=4.5, label=name)
    if course.rate is not None:
        early = np.array([row.hours for row in course.early])
        level = np.mean([course.closure[hour] for hour in early])
        axes.plot(early, level + course.rate.value * (early - early.mean()), color=style.colour, linewidth=1.2)


def _group(axes: Axes, group: str, means: Sequence[Mean], style: Look) -> None:
    # Of a single series there is no interval; matplotlib leaves NaN out.
    figures = np.array(
        [(m.hours, m.estimate.value, m.estimate.low, m.estimate.high) for m in means if m.quantity == CLOSURE],
        np.float64,
    ).reshape(-1, 4)
    hours, value, low, high = figures.T
    axes.plot(hours, value, color=style.colour, marker=style.marker, linewidth=1.8, markersize=5, label=_plain(group))
    axes.fill_between(hours, low, high, color=style.colour, alpha=0.18, linewidth=0)


def _plain(name: str) -> str:
    """A name that the legend takes for text, not for mathematics or a line to leave out."""
    return (f" {name}" if name.startswith("_") else name).replace("$", r"\$")
