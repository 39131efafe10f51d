"""From rows to figures: of each tool at each level, with intervals over fields, and what it lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.evaluation.sets.bootstrap import bootstrap_interval
from services.evaluation.sets.fidelity import mean_of, share_of
from services.evaluation.sets.metric import Measured, Prepare, everyone
from services.evaluation.toolcheck.conditions import UNDEGRADED, Level
from services.evaluation.toolcheck.measure import Row

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A figure over fields. direction: which values are better."""

    name: str
    title: str
    what: str
    direction: str
    prepare: Prepare


FIGURES = (
    Figure("mean_ap", "mean AP", "average precision at IoU 0.50 to 0.95, its mean over fields.", "higher", mean_of(1)),
    Figure("ap50", "AP at 0.5", "average precision at IoU 0.50, its mean over fields.", "higher", mean_of(0)),
    Figure("aji", "AJI", "aggregated Jaccard index, its mean over fields.", "higher", mean_of(2)),
    Figure("dice", "Dice", "overlap of the foregrounds, whatever their objects; its mean over fields.", "higher",
           mean_of(3)),
    Figure("missed", "missed", "share of true objects of which less than half is found.", "lower", share_of(4)),
    Figure("merged", "merged", "share of true objects that are found as one with another.", "lower", share_of(5)),
    Figure("split", "split", "share of true objects that are found in pieces.", "lower", share_of(6)),
)  # fmt: skip
MEAN_AP = FIGURES[0].prepare


class Table:
    """Rows by tool and level; the fields of each in one order."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows: dict[tuple[str, Level], list[Measured]] = {}
        for row in rows:
            self._rows.setdefault((row.tool, row.level), []).append(Measured(row.field, row.agreement))

    def at(self, tool: str, level: Level) -> list[Measured]:
        """What was measured of a tool at a level, field by field."""
        return self._rows[tool, level]

    def mean(self, tool: str, levels: Sequence[Level]) -> list[Measured]:
        """The mean over levels, field by field."""
        together = zip(*(self.at(tool, level) for level in levels), strict=True)
        return [Measured(some[0].name, sum(one.features for one in some) / len(levels)) for some in together]


def scores(measured: Sequence[Measured], seed: int) -> dict[str, Any]:
    """Every figure of some fields, by name: {"value", "interval"}."""
    return {figure.name: estimate(measured, figure.prepare, seed) for figure in FIGURES}


def lead(first: Sequence[Measured], second: Sequence[Measured], seed: int) -> Record:
    """How much higher the mean AP of the first is, field by field: {"value", "interval"}."""
    pairs = zip(first, second, strict=True)
    return estimate([Measured(one.name, one.features - other.features) for one, other in pairs], MEAN_AP, seed)


def loss(table: Table, tool: str, level: Level, seed: int) -> Record | None:
    """What a tool loses of its undegraded mean AP at a level; None for the undegraded images themselves."""
    return None if level == UNDEGRADED else lead(table.at(tool, UNDEGRADED), table.at(tool, level), seed)


def estimate(measured: Sequence[Measured], prepare: Prepare, seed: int) -> Record:
    """A figure and its 95 % interval over fields; None where one field alone has none."""
    statistic, names = prepare(measured, measured), [one.name for one in measured]
    interval = bootstrap_interval(statistic, names, names, seed=seed)
    value = statistic(everyone(measured), everyone(measured))
    return {"value": float(value), "interval": list(interval) if interval else None}
