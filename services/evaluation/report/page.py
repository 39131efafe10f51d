"""The report of an evaluation: one HTML page that needs nothing beside it. docs/evaluation.md says how to read it."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from services.evaluation.report import plots

Record = Mapping[str, Any]
"""An object of metrics.json, such as a candidate or a metric."""

_HERE = Path(__file__).parent
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Strip:
    """Pictures of one field side by side. title: the field's name; panels: captions and PNG files."""

    title: str
    panels: Sequence[tuple[str, bytes]]


def render_report(metrics: Record, strips: Sequence[Strip]) -> str:
    """Return the page of an evaluation.

    metrics: what metrics.json holds, described by schema.json. strips: pictures; one that is titled with the name of an
    outlier is shown among the outliers, any other one in a section of its own.
    """
    candidates = metrics["candidates"]
    worst = worst_fields(candidates)
    named = {name for _, cells in worst for fields in cells for name, _ in fields}
    return template("template.html.jinja").render(
        metrics=metrics,
        candidates=candidates,
        looks=[plots.look(index) for index in range(len(candidates))],
        deciding=[deciding(candidate) for candidate in candidates],
        sets=sorted(
            (_position(candidates, *row) for row in side_by_side([each["sets"] for each in candidates])),
            key=lambda row: row["plot"] is None,  # what is unavailable comes last
        ),
        pairs=[(*row, _distribution(candidates, row[0])) for row in side_by_side(_paired(candidates))],
        spectra=_spectra(metrics["spectra"], candidates),
        worst=worst,
        outliers=[strip for strip in strips if strip.title in named],
        strips=[strip for strip in strips if strip.title not in named],
    )


def number(value: float | None) -> str:
    """Return a number with three significant digits, or all of its whole ones; a dash for none.

    >>> [number(value) for value in (0.61249, -31, 1536.2, 0.0000421, None)]
    ['0.612', '−31.0', '1536', '4.21 × 10⁻⁵', '–']
    """
    if value is None or not math.isfinite(value):
        return "–"
    digits, power = f"{abs(value):.2e}".split("e")
    sign, exponent = "−" if value < 0 else "", int(power)
    if value == 0 or -5 < exponent < 6:
        return f"{sign}{abs(value):.{max(0, 2 - exponent) if value else 0}f}"
    return f"{sign}{digits} × 10{str(exponent).translate(_SUPERSCRIPT)}"


def span(interval: Sequence[float] | None) -> str:
    """Return an interval in words; a dash for none."""
    return f"{number(interval[0])} to {number(interval[1])}" if interval else "–"


def short(name: str, longest: int = 27) -> str:
    """Return a name with its middle cut out where it is long, such as a file named by its digest."""
    half = longest // 2
    return name if len(name) <= longest else f"{name[:half]}…{name[-half:]}"


def side_by_side(lists: Sequence[Sequence[Record]]) -> list[tuple[Record, list[Record | None]]]:
    """Return a row for each metric that any candidate has: what describes it, and each candidate's own or None."""
    own = [{metric["name"]: metric for metric in metrics} for metrics in lists]
    rows = [[found.get(name) for found in own] for name in dict.fromkeys(name for found in own for name in found)]
    return [(next(cell for cell in cells if cell), cells) for cells in rows]


def deciding(candidate: Record) -> list[Record]:
    """Return the two or three set metrics that a verdict rests on; where fewer do, the first others."""
    told = {"distinguishable": ("distinguishable", "unusable")}.get(candidate["verdict"], (candidate["verdict"],))
    same = [metric for metric in candidate["sets"] if metric["verdict"] in told]
    others = [metric for metric in candidate["sets"] if metric not in same and metric["value"] is not None]
    return (same + others[: max(0, 2 - len(same))])[:3]


def worst_fields(candidates: Sequence[Record]) -> list[tuple[Record, list[list[tuple[str, float]]]]]:
    """Return a row for each paired metric: of each candidate, names and values of the three worst fields.

    Fields of one value keep their order; a metric without any value has no row.
    """
    rows = []
    for metric, _ in side_by_side(_paired(candidates)):
        fields = [_fields(each, metric) for each in candidates]
        if any(fields):
            rows.append((metric, [_worst(some, metric["direction"])[:3] for some in fields]))
    return rows


def _worst(fields: Sequence[tuple[str, float]], direction: str) -> list[tuple[str, float]]:
    return sorted(fields, key=lambda field: field[1], reverse=direction == "lower")


def _paired(candidates: Sequence[Record]) -> list[Sequence[Record]]:
    return [each["paired"]["metrics"] if each["paired"] else [] for each in candidates]


def _fields(candidate: Record, metric: Record) -> list[tuple[str, float]]:
    """Return names and values of the fields of a candidate that have a value of a paired metric."""
    paired = candidate["paired"] or {"names": [], "metrics": []}
    own = [each["values"] for each in paired["metrics"] if each["name"] == metric["name"]]
    return [
        (name, value)
        for values in own
        for name, value in zip(paired["names"], values, strict=True)
        if value is not None and math.isfinite(value)
    ]


def _position(candidates: Sequence[Record], metric: Record, cells: Sequence[Record | None]) -> Record:
    """Return the row of a set metric; `plot` is None where no candidate has a value."""
    ceiling = next((cell["ceiling"] for cell in cells if cell and cell["ceiling"]), None)
    floors: Record = next((cell["floors"] for cell in cells if cell and cell["floors"]), {})
    floors = {name.replace("_", " "): value for name, value in floors.items()}
    rows = [
        plots.Row(plots.look(index), candidates[index]["name"], (cell["value"], *(cell["interval"] or ())))
        for index, cell in enumerate(cells)
        if cell and cell["value"] is not None
    ]
    plot = plots.position_plot(rows, ceiling, floors) if rows else None
    return {"metric": metric, "cells": cells, "ceiling": ceiling, "floors": floors, "plot": plot}


def _distribution(candidates: Sequence[Record], metric: Record) -> str | None:
    rows = [
        plots.Row(plots.look(index), each["name"], [value for _, value in _fields(each, metric)])
        for index, each in enumerate(candidates)
    ]
    rows = [row for row in rows if row.values]
    return plots.pairs_plot(rows) if rows else None


def _spectra(spectra: Record, candidates: Sequence[Record]) -> tuple[str, str] | None:
    rows = [
        plots.Row(plots.look(index), each["name"], spectra["candidates"][each["name"]])
        for index, each in enumerate(candidates)
        if spectra["candidates"].get(each["name"])
    ]
    cycles, real = spectra["cycles_per_window"], spectra["real"]
    if not real:  # fields smaller than a window have none
        return None
    return plots.spectra_plot(cycles, real, rows), plots.spectra_plot(cycles, real, rows, difference=True)


def template(name: str, folder: Path = _HERE) -> jinja2.Template:
    """Return the template of a page in `folder`, which may use the style and macros of this one; values are escaped."""
    page = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {"number": number, "span": span, "short": short, "png": _png}
    return page.get_template(name)


def _png(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")
