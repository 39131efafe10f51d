"""What a schema's levels mean to the generator."""

from __future__ import annotations

import pytest

from services.common.errors import InvalidSchema
from services.reference.schema import Level, Rule, Schema
from services.reference.schemas import builtin_schemas
from services.training.datasets.roles import roles_of


@pytest.mark.parametrize(
    ("name", "background", "interior", "boundary"),
    [
        ("nuclei3", (0,), (1,), (2,)),
        ("cells4", (0, 1), (2,), (3,)),
        ("levels4", (0, 1), (2, 4), (3,)),
        ("levels7", (0, 1), (2, 3, 4, 6), (5, 7)),
        ("levels9", (0, 1), (2, 3, 4, 5, 6, 8), (7, 9)),
    ],
)
def test_levels_are_sorted_by_what_paints_them(
    name: str, background: tuple[int, ...], interior: tuple[int, ...], boundary: tuple[int, ...]
) -> None:
    roles = roles_of(builtin_schemas()[name])
    assert (roles.background, roles.interior, roles.boundary) == (background, interior, boundary)


@pytest.mark.parametrize("schema", builtin_schemas().values(), ids=lambda schema: schema.name)
def test_every_level_of_a_built_in_schema_has_one_role(schema: Schema) -> None:
    roles = roles_of(schema)
    assert sorted(roles.background + roles.interior + roles.boundary) == list(range(len(schema.levels)))
    assert roles.count == len(schema.levels)


def _schema(*sources: tuple[int, str]) -> Schema:
    levels = tuple(Level(index, f"level{index}", index) for index in range(2))
    return Schema("mine", 1, levels, tuple(Rule(level, source) for level, source in sources))


def test_whole_cells_are_interior() -> None:
    assert roles_of(_schema((0, "everything"), (1, "cells"))).interior == (1,)


def test_a_level_that_is_both_inside_and_boundary_is_refused_by_name() -> None:
    with pytest.raises(InvalidSchema, match="level1 is more than one"):
        roles_of(_schema((0, "everything"), (1, "nuclei_interior"), (1, "nuclei_boundary")))
