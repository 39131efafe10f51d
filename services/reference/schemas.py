"""The five built-in schemas, by name and by the parts they need; and schemas of your own."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from services.common.errors import InvalidSchema
from services.common.names import check_name
from services.reference.schema import Level, Rule, Schema
from services.reference.schema_yaml import read_schema, write_schema

__all__ = ["Level", "Rule", "Schema", "builtin_schemas", "fitting", "named", "parse_schema", "write_schema"]


def builtin_schemas() -> dict[str, Schema]:
    """The built-in schemas by name, sorted."""
    return {schema.name: schema for schema in (_cells4(), _levels4(), _levels7(), _levels9(), _nuclei3())}


def named(name: str) -> Schema:
    """The built-in schema of this name. Raises UnknownName, which lists the built-in ones; InvalidArgument for none."""
    schemas = builtin_schemas()
    check_name("schema", name, schemas, ", or one of your own as YAML")
    return schemas[name]


def fitting(parts: Collection[str]) -> tuple[str, ...]:
    """Names of the built-in schemas that need no other parts than these, sorted."""
    return tuple(name for name, schema in builtin_schemas().items() if set(schema.parts) <= set(parts))


def parse_schema(yaml_text: str) -> Schema:
    """The schema that the YAML describes (schema_yaml.py has the format).

    Raises InvalidSchema where it describes none, or another one under a built-in schema's name: a model trained under
    `levels4` would be given references that mean something else.
    """
    schema = read_schema(yaml_text)
    if builtin_schemas().get(schema.name, schema) != schema:
        raise InvalidSchema(f"expected a name that no built-in schema has, for one of your own; got {schema.name}")
    return schema


def _levels(names: str, greys: int) -> tuple[Level, ...]:
    # "Grey value = uint8(linspace(0, 255, n)[index])" (docs/method.md, Levels): truncated, not rounded.
    scale = np.linspace(0, 255, greys).astype(np.uint8)
    return tuple(Level(index, name, int(scale[index])) for index, name in enumerate(names.split()))


def _painting(*sources: str) -> tuple[Rule, ...]:
    return tuple(Rule(level, source) for level, source in enumerate(sources))


def _levels4() -> Schema:
    """The original pipeline's "4-level" drawing, of 5 levels (docs/method.md, Levels).

    "0 wound; 1 all that is not wound; 2 cytoplasm without its boundary; 3 cytoplasm boundary where the wound mask is
    False; 4 nucleus without its boundary."
    """
    return Schema(
        name="levels4",
        version=1,
        levels=_levels("wound gap cell cell_boundary nucleus", greys=5),
        painting=_painting("wound", "not_wound", "cells_interior", "cell_boundary_outside_wound", "nuclei_interior"),
        description="Wound, gap, cells with boundary, nuclei.",
    )


def _levels7() -> Schema:
    """The original pipeline's "7-level" drawing, of 8 levels (docs/method.md, Levels).

    "0 and 1 as above; 2, 3, 4 = three cytoplasm tiers; 5 cytoplasm boundary, as above; 6 nucleus without boundary; 7
    nucleus boundary."; "the sorted means are cut at indexes n/3 and 2n/3" (Grey tiers).
    """
    return Schema(
        name="levels7",
        version=1,
        levels=_levels("wound gap cell_dark cell_medium cell_bright cell_boundary nucleus nucleus_boundary", greys=8),
        painting=_tiered(3),
        description="Wound, gap, cells of three brightness tiers with boundary, nuclei with boundary.",
    )


def _levels9() -> Schema:
    """The original pipeline's "9-level" drawing, of 10 levels (docs/method.md, Levels).

    "0 and 1 as above; 2..6 = five cytoplasm tiers; 7 cytoplasm boundary, as above; 8 nucleus without boundary; 9
    nucleus boundary."; "outer limits 55 and 95, and the tertiles of the means in [55, 95) between them" (Grey tiers).
    """
    names = (
        "wound gap cell_darkest cell_dark cell_medium cell_bright cell_brightest cell_boundary nucleus nucleus_boundary"
    )
    return Schema(
        name="levels9",
        version=1,
        levels=_levels(names, greys=10),
        painting=_tiered(5),
        description="Wound, gap, cells of five brightness tiers with boundary, nuclei with boundary.",
        tier_range=(55.0, 95.0),
    )


def _tiered(tiers: int) -> tuple[Rule, ...]:
    cells = (f"cell_tier:{tier}" for tier in range(tiers))
    return _painting("wound", "not_wound", *cells, "cell_boundary_outside_wound", "nuclei_interior", "nuclei_boundary")


def _nuclei3() -> Schema:
    return Schema(
        name="nuclei3",
        version=1,
        levels=_levels("background nucleus nucleus_boundary", greys=3),
        painting=_painting("everything", "nuclei_interior", "nuclei_boundary"),
        description="Nuclei with boundary on background; needs nothing but nuclei.",
    )


def _cells4() -> Schema:
    # Boundaries are painted inside the wound too, unlike those of the original pipeline's levels, so that a cell that
    # reaches into it keeps a closed outline.
    return Schema(
        name="cells4",
        version=1,
        levels=_levels("wound gap cell cell_boundary", greys=4),
        painting=_painting("wound", "not_wound", "cells_interior", "cell_boundary"),
        description="Wound, gap, cells with boundary; needs no nuclei.",
    )
