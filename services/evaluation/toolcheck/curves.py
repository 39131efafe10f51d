"""Curves of a figure over the levels of a condition, one for each tool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

from services.evaluation.report.plots import Look, figure

MOST_TICKS = 6
HALF = 0.5  # plots end at 1 or, where all is below, here: like scales, so that small shares look small


@dataclass(frozen=True)
class Curve:
    """Points of a tool, and the intervals of those that have one; lost: which points are drawn open."""

    look: Look
    x: Sequence[float]
    values: Sequence[float]
    intervals: Sequence[Sequence[float] | None]
    lost: Sequence[bool]


def curves_plot(curves: Sequence[Curve], x_label: str, y_label: str, ticks: Sequence[float] = ()) -> str:
    """Draw curves with bands of their intervals, from 0 up; as a data URI. ticks: of x, where they are few."""
    with figure(1.7, width=2.9, left=0.52, below=0.5) as (axes, finish):
        for curve in curves:
            known = [(x, *limits) for x, limits in zip(curve.x, curve.intervals, strict=True) if limits]
            if known:
                places, lows, highs = zip(*known, strict=True)
                axes.fill_between(places, lows, highs, color=curve.look.colour, alpha=0.16, linewidth=0)
            axes.plot(curve.x, curve.values, color=curve.look.colour, linestyle=curve.look.line, linewidth=1.4)
            for x, value, lost in zip(curve.x, curve.values, curve.lost, strict=True):
                face = "white" if lost else curve.look.colour
                axes.plot(x, value, curve.look.marker, color=curve.look.colour, markerfacecolor=face, markersize=5.5)
        if 0 < len(ticks) <= MOST_TICKS:
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_ylim(0, 1.0 if _highest(curves) > HALF else HALF)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 10)))
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(axis="y")
        return finish()


def _highest(curves: Sequence[Curve]) -> float:
    return max(value for curve in curves for row in (curve.values, *filter(None, curve.intervals)) for value in row)
