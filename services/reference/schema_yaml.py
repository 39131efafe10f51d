"""Schemas as YAML.

name: outline
version: 1
description: Cells and their outlines.       # optional
levels:
  - {index: 0, name: background, grey: 0}    # grey: of all levels or of none (then spread over 0 to 255)
  - {index: 1, name: cell, grey: 127}
  - {index: 2, name: outline, grey: 255}
painting:                                    # in this order, later over earlier
  - {level: background, source: everything}
  - {level: cell, source: cells_interior}
  - {level: outline, source: cell_boundary}
boundary_thickness_px: 1                     # optional, as all below
dilate_cell_boundary: false
tier_range: [55, 95]                         # only with cell_tier sources: measure between these
tier_limits: [60, 70, 80, 90]                # or: fixed
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import yaml

from services.common.errors import InvalidSchema
from services.reference.schema import Level, Rule, Schema
from services.reference.yaml_safety import load_plain

_T = TypeVar("_T")
_REQUIRED = ("name", "version", "levels", "painting")
_OPTIONAL = ("description", "boundary_thickness_px", "dilate_cell_boundary", "tier_range", "tier_limits")


def read_schema(text: str) -> Schema:
    """The schema that the YAML describes. Raises InvalidSchema, saying what was expected and what came.

    >>> levels = "levels: [{index: 0, name: ground}, {index: 1, name: cell}]"
    >>> painting = "painting: [{level: ground, source: everything}, {level: cell, source: cells}]"
    >>> schema = read_schema("\\n".join(["name: covered", "version: 1", levels, painting]))
    >>> schema.parts, [level.grey for level in schema.levels]
    (('cells',), [0, 255])
    """
    fields = _mapping(load_plain(text), "a schema", _REQUIRED, _OPTIONAL)
    levels = _read_levels(_typed(fields["levels"], list, "levels"))
    return Schema(
        name=_typed(fields["name"], str, "name"),
        version=_typed(fields["version"], int, "version"),
        levels=levels,
        painting=_read_painting(_typed(fields["painting"], list, "painting"), levels),
        description=_typed(fields.get("description", ""), str, "description"),
        boundary_thickness_px=_typed(fields.get("boundary_thickness_px", 1), int, "boundary_thickness_px"),
        dilate_cell_boundary=_typed(fields.get("dilate_cell_boundary", False), bool, "dilate_cell_boundary"),
        tier_range=_numbers(fields.get("tier_range", []), "tier_range"),
        tier_limits=_numbers(fields.get("tier_limits", []), "tier_limits"),
    )


def write_schema(schema: Schema) -> str:
    """The schema as YAML, from which `read_schema` makes an equal one; a start for a schema of your own."""
    names = {level.index: level.name for level in schema.levels}
    fields = {
        "name": schema.name,
        "version": schema.version,
        "description": schema.description,
        "levels": [{"index": level.index, "name": level.name, "grey": level.grey} for level in schema.levels],
        "painting": [{"level": names[rule.level], "source": rule.source} for rule in schema.painting],
        "boundary_thickness_px": schema.boundary_thickness_px,
        "dilate_cell_boundary": schema.dilate_cell_boundary,
        "tier_range": list(schema.tier_range),
        "tier_limits": list(schema.tier_limits),
    }
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=1000)


def _read_levels(entries: list[object]) -> tuple[Level, ...]:
    rows = [_mapping(entry, "a level", ("index", "name"), ("grey",)) for entry in entries]
    graded = [row for row in rows if "grey" in row]
    if graded and len(graded) < len(rows):
        raise InvalidSchema(f"expected a grey value for every level or for none; got {len(graded)} of {len(rows)}")
    spread = np.linspace(0, 255, max(len(rows), 1)).astype(np.uint8)
    return tuple(
        Level(
            index=_typed(row["index"], int, "a level's index"),
            name=_typed(row["name"], str, "a level's name"),
            grey=_typed(row.get("grey", int(default)), int, "a level's grey"),
        )
        for row, default in zip(rows, spread[: len(rows)], strict=True)
    )


def _read_painting(entries: list[object], levels: tuple[Level, ...]) -> tuple[Rule, ...]:
    index = {level.name: level.index for level in levels}
    rules = []
    for entry in entries:
        row = _mapping(entry, "a painting rule", ("level", "source"), ())
        level = _typed(row["level"], str, "a painting rule's level")
        if level not in index:
            raise InvalidSchema(f"expected a painting rule's level among {', '.join(index)}; got {level!r:.80}")
        rules.append(Rule(index[level], _typed(row["source"], str, "a painting rule's source")))
    return tuple(rules)


def _mapping(value: object, what: str, required: tuple[str, ...], optional: tuple[str, ...]) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise InvalidSchema(f"expected {what} as a mapping with {', '.join(required)}; got {value!r:.80}")
    if missing := [key for key in required if key not in value]:
        raise InvalidSchema(f"expected {what} to have {', '.join(required)}; it lacks {', '.join(missing)}")
    if unknown := [key for key in value if key not in (*required, *optional)]:
        raise InvalidSchema(
            f"expected {what} to have only {', '.join((*required, *optional))}; got {unknown[0]!r:.80} too"
        )
    return value


def _typed(value: object, kind: type[_T], what: str) -> _T:
    # In Python True is an int; in a schema `true` is no number.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        words = {int: "a whole number", str: "text", bool: "true or false", list: "a list"}
        raise InvalidSchema(f"expected {what} as {words[kind]}; got {value!r:.80}")
    return value


def _numbers(value: object, what: str) -> tuple[float, ...]:
    entries = _typed(value, list, what)
    if wrong := [entry for entry in entries if isinstance(entry, bool) or not isinstance(entry, int | float)]:
        raise InvalidSchema(f"expected {what} as a list of numbers; got {wrong[0]!r:.80}")
    return tuple(float(entry) for entry in entries)
