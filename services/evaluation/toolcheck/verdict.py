"""What the curves say in words: up to which level each tool holds, and which tool is ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.evaluation.toolcheck.conditions import CONDITIONS, UNDEGRADED, Level
from services.evaluation.toolcheck.figures import MEAN_AP, Table, estimate, lead, loss
from services.evaluation.toolcheck.tools import Tool

Record = Mapping[str, Any]
LOSS = 0.05  # of mean AP: more than this, and a tool no longer holds up
LEAST_TO_LOSE = 0.1  # a tool that has less at the start cannot lose enough to show it


def limits(table: Table, tool: Tool, seed: int) -> list[Record]:
    """For each condition, the last level before the first at which the tool loses more than LOSS, and that level."""
    found: list[Record] = []
    for name in CONDITIONS:
        levels = sorted((level for level in tool.levels if level.condition == name), key=lambda level: level.value)
        losses = [loss(table, tool.name, level, seed) or {} for level in levels]
        if not levels:
            continue
        first = next((index for index, lost in enumerate(losses) if lost["value"] > LOSS), len(levels))
        told = losses[min(first, len(levels) - 1)]
        found.append(
            {
                "condition": name,
                "holds_to": levels[first - 1].value if first else 0.0,
                "loses_at": levels[first].value if first < len(levels) else None,
                "loss": told["value"],
                "interval": told["interval"],
            }
        )
    return found


def sentences(undegraded: float, found: Sequence[Record]) -> list[str]:
    """Limits in words, a sentence each.

    >>> lost = {"condition": "blur", "holds_to": 1.0, "loses_at": 2.0, "loss": 0.083, "interval": [0.05, 0.11]}
    >>> sentences(0.6, [lost])
    ['Blur: holds up to 1, loses 0.08 (0.05 to 0.11) at 2 px.']
    """
    if undegraded < LEAST_TO_LOSE:
        return [f"Mean AP is {undegraded:.2f} on undegraded images already: it does not find these objects."]
    if not found:
        return ["Checked on undegraded images alone."]
    return [_sentence(limit) for limit in found]


def leaders(table: Table, tools: Sequence[Tool], seed: int) -> list[Record]:
    """Which tool has the highest mean AP, on undegraded images and over all levels, and how far the next one is behind.

    Nothing for fewer than two tools; a tool without degraded images is left out of the second.
    """
    levels = list(dict.fromkeys(level for tool in tools for level in tool.levels if level != UNDEGRADED))
    found: list[Record] = []
    for where, asked in (("undegraded", [UNDEGRADED]), ("degraded", levels)):
        able = [tool.name for tool in tools if asked and set(asked) <= set(tool.levels)]
        means = {name: table.mean(name, asked) for name in able}
        values = {name: estimate(means[name], MEAN_AP, seed)["value"] for name in able}
        ranked = sorted(able, key=lambda name: -values[name])
        if len(ranked) > 1:
            first, second = ranked[:2]
            ahead = lead(means[first], means[second], seed)
            found.append(
                {"where": where, "first": first, "second": second, "value": values[first], "lead": ahead["value"],
                 "interval": ahead["interval"]}
            )  # fmt: skip
    return found


def leader_sentence(leader: Record) -> str:
    """A leader in words; nobody leads where the interval of the lead reaches 0, or where there is none."""
    where = {"undegraded": "On undegraded images", "degraded": "Over all degraded images"}[leader["where"]]
    if not leader["interval"] or leader["interval"][0] <= 0:
        return f"{where}, {leader['first']} and {leader['second']} are not told apart by these fields."
    return (
        f"{where}, {leader['first']} is best: mean AP {leader['value']:.2f}, "
        f"{leader['lead']:.2f}{_between(leader['interval'])} more than {leader['second']}."
    )


def level_words(level: Level) -> str:
    """A level as a caption has it.

    >>> level_words(Level("blur", 2.0)), level_words(UNDEGRADED)
    ('blur 2', 'undegraded')
    """
    return f"{CONDITIONS[level.condition].title.lower()} {level.value:g}" if level.value else level.condition


def _sentence(limit: Record) -> str:
    condition = CONDITIONS[limit["condition"]]
    lost = f"loses {limit['loss']:.2f}{_between(limit['interval'])}" if limit["loss"] > 0 else "loses nothing"
    if limit["loses_at"] is None:
        return f"{condition.title}: holds up at all levels; {lost} at {limit['holds_to']:g} {condition.spoken}."
    held = f"holds up to {limit['holds_to']:g}, " if limit["holds_to"] else ""
    return f"{condition.title}: {held}{lost} at {limit['loses_at']:g} {condition.spoken}."


def _between(interval: Sequence[float] | None) -> str:
    return f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
