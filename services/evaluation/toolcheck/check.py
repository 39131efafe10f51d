"""From images with known truth and tools to all figures about the tools, and the report."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.common.errors import InvalidArgument
from services.evaluation.pictures import PictureSet
from services.evaluation.toolcheck.conditions import CONDITIONS, UNDEGRADED
from services.evaluation.toolcheck.figures import FIGURES, Table, loss, scores
from services.evaluation.toolcheck.measure import Progress, Row, Surveyed, measure, survey
from services.evaluation.toolcheck.page import render_page
from services.evaluation.toolcheck.spacing import LEAST_FIELDS, bins
from services.evaluation.toolcheck.strips import typical_strips
from services.evaluation.toolcheck.tools import Tool
from services.evaluation.toolcheck.verdict import LOSS, leader_sentence, leaders, limits, sentences

FORMAT = "biosynth.toolcheck/1"
_COLUMNS = ("ap50", "mean_ap", "aji", "dice", "missed", "merged", "split")  # the order of `agreement`


@dataclass(frozen=True)
class Made:
    """The files of a tool check, and what they say in words."""

    json: bytes
    csv: bytes
    html: bytes
    verdicts: Mapping[str, Sequence[str]]
    leaders: Sequence[str]


def check_tools(
    images: PictureSet,
    part: str,
    tools: Sequence[Tool],
    *,
    seed: int = 0,
    versions: Mapping[str, str] | None = None,
    progress: Progress = lambda _done: None,
) -> Made:
    """Score every tool at each of its levels. docs/method.md, Tool check, defines all figures.

    images: with labels that have `part`. progress: told how many results (field, level, tool) there are. The same
    input and seed give the same bytes. Raises InvalidArgument for no tool, two of one name, and what `survey` and
    `measure` refuse.
    """
    names = [tool.name for tool in tools]
    if not names or len(set(names)) < len(names):
        raise InvalidArgument(
            f"expected tools with a name of their own each; got {', '.join(names) or 'none'}; masks are called as "
            "their folder is: rename it"
        )
    fields = survey(images, part)
    rows = measure(images, part, tools, seed, progress)
    table = Table(rows)
    record = _record(images.name, part, fields, tools, table, seed, dict(versions or {}))
    html = render_page(record, typical_strips(images, part, tools, table, seed))
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    return Made(
        text.encode(), _csv(rows, fields).encode(), html.encode(),
        {tool["name"]: tool["verdict"] for tool in record["tools"]}, [one["words"] for one in record["leaders"]],
    )  # fmt: skip


def _record(
    name: str, part: str, fields: Sequence[Surveyed], tools: Sequence[Tool], table: Table, seed: int,
    versions: Mapping[str, str],
) -> dict[str, Any]:  # fmt: skip
    levels = sorted({level for tool in tools for level in tool.levels}, key=lambda level: level.value)
    grouped = bins([field.spacing for field in fields])
    first = leaders(table, tools, seed)
    return {
        "format": FORMAT,
        "versions": versions,
        "seed": seed,
        "part": part,
        "most_loss": LOSS,
        "images": {"name": name, "fields": len(fields), "objects": sum(field.objects for field in fields)},
        "figures": [
            {key: getattr(figure, key) for key in ("name", "title", "what", "direction")} for figure in FIGURES
        ],
        "conditions": [
            {"name": one.name, "title": one.title, "unit": one.unit, "what": one.what, "levels": asked}
            for one in CONDITIONS.values()
            if (asked := [level.value for level in levels if level.condition == one.name])
        ],
        "spacing": _spacing(fields, grouped),
        "leaders": [{**leader, "words": leader_sentence(leader)} for leader in first],
        "tools": [_tool(tool, table, grouped, seed) for tool in tools],
    }


def _spacing(fields: Sequence[Surveyed], grouped: Sequence[Sequence[int]]) -> dict[str, Any]:
    spans = [[fields[index].spacing for index in some] for some in grouped]
    few = f"needs at least {2 * LEAST_FIELDS} fields with two objects or more, for two bins of {LEAST_FIELDS}"
    return {
        "bins": [
            {"low": min(span), "high": max(span), "mean": float(np.mean(span)), "fields": len(span)} for span in spans
        ],
        "unavailable": "" if spans else few,
    }


def _tool(tool: Tool, table: Table, grouped: Sequence[Sequence[int]], seed: int) -> dict[str, Any]:
    at: list[dict[str, Any]] = [
        {"condition": level.condition, "level": level.value, "figures": scores(table.at(tool.name, level), seed),
         "loss": loss(table, tool.name, level, seed)}
        for level in tool.levels
    ]  # fmt: skip
    undegraded = table.at(tool.name, UNDEGRADED)
    found = limits(table, tool, seed)
    value = next(one["figures"]["mean_ap"]["value"] for one in at if one["condition"] == UNDEGRADED.condition)
    return {
        "name": tool.name,
        "kind": tool.kind,
        "version": tool.version,
        "verdict": sentences(value, found),
        "limits": found,
        "levels": at,
        "spacing": [scores([undegraded[index] for index in some], seed) for some in grouped],
    }


def _csv(rows: Sequence[Row], fields: Sequence[Surveyed]) -> str:
    """A row for each tool, condition, level and field: scores, numbers of objects, and the field's spacing."""
    text, spacings = io.StringIO(), {field.name: field.spacing for field in fields}
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["tool", "condition", "level", "field", "spacing", *_COLUMNS, "objects"])
    for row in sorted(rows, key=lambda row: (row.tool, row.level.condition, row.level.value)):
        *averages, missed, merged, split, objects = row.agreement[0].tolist()
        counts = (f"{count:.0f}" for count in (missed, merged, split, objects))
        space = repr(spacings[row.field]) if np.isfinite(spacings[row.field]) else ""
        known = (row.tool, row.level.condition, f"{row.level.value:g}", row.field, space)
        writer.writerow([*known, *map(repr, averages), *counts])
    return text.getvalue()
