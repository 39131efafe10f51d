"""The report of a tool check: one HTML page that needs nothing beside it. docs/evaluation.md says how to read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from services.evaluation.report import plots
from services.evaluation.report.page import Strip, template
from services.evaluation.toolcheck.conditions import Level
from services.evaluation.toolcheck.curves import Curve, curves_plot
from services.evaluation.toolcheck.figures import Record
from services.evaluation.toolcheck.verdict import level_words

HERE = Path(__file__).parent
SPACING = {
    "name": "spacing",
    "title": "Spacing",
    "unit": "distance in diameters",
    "what": "Undegraded fields, in bins by how far their objects stand from their nearest one; crowded to the left.",
}


def render_page(record: Record, strips: Sequence[Strip]) -> str:
    """Return the page. record: what toolcheck.json holds, described by schema.json. strips: one for each tool."""
    tools = record["tools"]
    looks = [plots.look(index) for index in range(len(tools))]
    conditions = [(one, _plots(record, looks, one)) for one in record["conditions"]]
    if record["spacing"]["bins"]:
        conditions.append((SPACING, _spacing_plots(record, looks)))
    return template("page.html.jinja", HERE).render(
        record=record, tools=tools, looks=looks, conditions=conditions, strips=strips, caption=_caption
    )


def _plots(record: Record, looks: Sequence[plots.Look], condition: Record) -> list[tuple[Record, str]]:
    rows = [
        (look, [one for one in tool["levels"] if one["condition"] in (condition["name"], "undegraded")])
        for look, tool in zip(looks, record["tools"], strict=True)
    ]
    found = []
    for figure in record["figures"]:
        curves = [
            _curve(look, [one["level"] for one in row], [one["figures"][figure["name"]] for one in row],
                   [figure["name"] == "mean_ap" and _lost(one, record["most_loss"]) for one in row])
            for look, row in rows
        ]  # fmt: skip
        found.append((figure, curves_plot(curves, condition["unit"], figure["title"], [0, *condition["levels"]])))
    return found


def _spacing_plots(record: Record, looks: Sequence[plots.Look]) -> list[tuple[Record, str]]:
    places = [one["mean"] for one in record["spacing"]["bins"]]
    found = []
    for figure in record["figures"]:
        curves = [
            _curve(look, places, [one[figure["name"]] for one in tool["spacing"]], [False] * len(places))
            for look, tool in zip(looks, record["tools"], strict=True)
        ]
        found.append((figure, curves_plot(curves, SPACING["unit"], figure["title"])))
    return found


def _curve(look: plots.Look, x: Sequence[float], estimates: Sequence[Record], lost: Sequence[bool]) -> Curve:
    return Curve(look, x, [one["value"] for one in estimates], [one["interval"] for one in estimates], lost)


def _caption(level: Record) -> str:
    return level_words(Level(level["condition"], level["level"]))


def _lost(level: Record, most: float) -> bool:
    return bool(level["loss"] and level["loss"]["value"] > most)
