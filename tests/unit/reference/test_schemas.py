from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.common.errors import InvalidSchema, UnknownName
from services.reference.schemas import Level, Rule, Schema, builtin_schemas, fitting, named


def test_the_built_in_schemas_have_their_documented_names_parts_and_tiers() -> None:
    assert {name: (schema.parts, schema.tiers) for name, schema in builtin_schemas().items()} == {
        "cells4": (("cells", "wound"), 0),
        "levels4": (("cells", "nuclei", "wound"), 0),
        "levels7": (("cells", "nuclei", "wound"), 3),
        "levels9": (("cells", "nuclei", "wound"), 5),
        "nuclei3": (("nuclei",), 0),
    }
    assert list(builtin_schemas()) == sorted(builtin_schemas())


@pytest.mark.parametrize(
    ("name", "n"), [("levels4", 5), ("levels7", 8), ("levels9", 10), ("nuclei3", 3), ("cells4", 4)]
)
def test_grey_values_are_linspace_truncated(name: str, n: int) -> None:
    levels = named(name).levels
    assert [level.index for level in levels] == list(range(n))
    assert [level.grey for level in levels] == [int(value) for value in np.linspace(0, 255, n)]


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        (("nuclei",), ("nuclei3",)),
        (("cells", "wound"), ("cells4",)),
        (("cells",), ()),
        (("cells", "nuclei", "wound"), ("cells4", "levels4", "levels7", "levels9", "nuclei3")),
    ],
)
def test_fitting_lists_the_schemas_that_need_no_more_than_the_parts(
    parts: tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert fitting(parts) == names


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(UnknownName, match=r"cells4, levels4, levels7, levels9, nuclei3.*'levels5'"):
        named("levels5")


TWO = (Level(0, "background", 0), Level(1, "cell", 255))
PAINT = (Rule(0, "everything"), Rule(1, "cells"))
FLAT = Schema("flat", 1, TWO, PAINT)
TIERED = replace(
    FLAT,
    levels=(*TWO, Level(2, "bright", 9), Level(3, "brighter", 9)),
    painting=(PAINT[0], *(Rule(tier + 1, f"cell_tier:{tier}") for tier in range(3))),
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "../x"}, "expected a name of 1 to 64"),
        ({"version": 0}, "version from 1"),
        ({"description": "x" * 1001}, "at most 1000"),
        ({"levels": ()}, "1 to 256 levels; got 0"),
        ({"levels": tuple(Level(i, f"l{i}", 0) for i in range(257))}, "1 to 256 levels; got 257"),
        ({"levels": (TWO[0], Level(2, "cell", 0))}, r"without gaps, rising; got \[0, 2\]"),
        ({"levels": (TWO[0], Level(1, "background", 0))}, "got background more than once"),
        ({"levels": (TWO[0], Level(1, "cell", 256))}, "0 to 255; got 256 for level cell"),
        ({"painting": ()}, "1 to 1024 painting rules; got 0"),
        ({"painting": PAINT[:1]}, "rule for every level; got none for cell"),
        ({"painting": (*PAINT, Rule(2, "nuclei"))}, r"levels 0 to 1; got \[2\]"),
        ({"painting": (PAINT[0], Rule(1, "mitochondria"))}, "a source among everything, .*; got 'mitochondria'"),
        ({"painting": (PAINT[0], Rule(1, "_cell_labels"))}, "a source among"),
        ({"painting": PAINT[::-1]}, "`everything` only as the first"),
        ({"painting": (Rule(0, "not_wound"), PAINT[1])}, "reaches every pixel"),
        ({"painting": (PAINT[0], Rule(1, "cell_tier:0"))}, r"at least two, .* got \[0\]"),
        ({"painting": (*PAINT, Rule(1, "cell_tier:0"), Rule(1, "cell_tier:2"))}, r"got \[0, 2\]"),
        ({"painting": (PAINT[0], Rule(1, "cell_tier:01"))}, "a source among"),
        ({"painting": (*PAINT, *(Rule(1, f"cell_tier:{k}") for k in range(257)))}, "at most 256 tiers; got 257"),
        ({"boundary_thickness_px": 0}, "1 to 64 px; got 0"),
        ({"tier_limits": (5.0,)}, "expected 0 tier_limits for 0 tiers; got 1"),
        ({"tier_range": (5.0, 9.0)}, "at least three tiers"),
    ],
)
def test_a_schema_that_contradicts_itself_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidSchema, match=said):
        replace(FLAT, **changes)  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tier_limits": (5.0,)}, "expected 2 tier_limits for 3 tiers; got 1"),
        ({"tier_limits": (9.0, 5.0)}, "none below the one before"),
        ({"tier_limits": (9.0, 500.0)}, "from 0 to 255"),
        ({"tier_range": (9.0,)}, "low below high"),
        ({"tier_range": (9.0, 9.0)}, "low below high"),
        ({"tier_range": (9.0, float("nan"))}, "from 0 to 255"),
        ({"tier_range": (5.0, 9.0), "tier_limits": (5.0, 9.0)}, "got both"),
    ],
)
def test_tier_limits_that_do_not_fit_the_tiers_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidSchema, match=said):
        replace(TIERED, **changes)  # type: ignore[arg-type]  # any field
