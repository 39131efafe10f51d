from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.common.errors import InvalidSchema
from services.common.imaging.labels import Segmentation
from services.reference import schema_yaml
from services.reference.render import render
from services.reference.schemas import builtin_schemas, named, parse_schema, write_schema

OUTLINE = """
name: outline
version: 2
levels:
  - {index: 0, name: background}
  - {index: 1, name: cell}
  - {index: 2, name: outline}
painting:
  - {level: background, source: everything}
  - {level: cell, source: cells_interior}
  - {level: outline, source: cell_boundary}
"""


def test_a_schema_of_your_own_is_drawn_as_it_says() -> None:
    cells = np.zeros((5, 5), np.int32)
    cells[1:4, 1:4] = 1
    schema = parse_schema(OUTLINE)
    drawn = render(Segmentation(cells), schema)
    assert (schema.name, schema.version, schema.parts, schema.tiers) == ("outline", 2, ("cells",), 0)
    assert drawn.level_pixels == (16, 1, 8)
    assert drawn.grey[2, 2] == 127


def test_the_example_in_the_documentation_lacks_only_tiers_to_be_read() -> None:
    example_text = (schema_yaml.__doc__ or "").split("\n\n", 1)[1]
    without_tiers = "\n".join(line for line in example_text.splitlines() if "tier_" not in line)
    assert parse_schema(without_tiers).levels[2].name == "outline"


@pytest.mark.parametrize("name", builtin_schemas())
def test_every_built_in_schema_can_be_written_as_yaml_and_read_back(name: str) -> None:
    assert parse_schema(write_schema(named(name))) == named(name)


def test_the_original_dilated_boundary_is_one_line_of_yaml() -> None:
    text = write_schema(named("levels4")).replace("name: levels4", "name: levels4-dilated")
    schema = parse_schema(text.replace("dilate_cell_boundary: false", "dilate_cell_boundary: true"))
    assert schema.dilate_cell_boundary
    assert schema.painting == named("levels4").painting


def test_a_built_in_name_for_something_else_is_refused() -> None:
    with pytest.raises(InvalidSchema, match="no built-in schema has, for one of your own; got nuclei3"):
        parse_schema(OUTLINE.replace("name: outline\n", "name: nuclei3\n"))


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{new}: &{new} [{','.join(['*' + old] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a schema as a mapping with name, version, levels, painting; got None"),
        ("levels4", "as a mapping .* got 'levels4'"),
        ("- 1", r"as a mapping .* got \[1\]"),
        ("name: x", "it lacks version, levels, painting"),
        ("a: [1", "expected YAML; .* at line 1"),
        ("a: b: c", "expected YAML; mapping values are not allowed here at line 1, column 5"),
        ("a: 2024-13-99", "expected YAML; got a value that cannot be read"),
        ("a: " + "9" * 5000, "expected YAML; got a value that cannot be read"),
        ("a: \x00", "expected YAML; special characters are not allowed"),
        ("a: 1\n---\nb: 2", "expected YAML; but found another document at line 2"),
        ("a: 1\na: 2", "every key once; got 'a' again at line 2"),
        ("? [a]\n: 1", "keys that are text; got a list or mapping as a key at line 1"),
        ("a: !!python/object/apply:os.system [x]", "without tags; got .*os.system"),
        ("a: !!binary x", "without tags"),
        (BOMB, "without anchors and aliases; got one at line 1"),
        ("a: *b", "without anchors and aliases"),
        ("[" * 20_000, "nested at most 8 deep"),
        ("x" * 65_537, "at most 65536 characters of YAML; got 65537"),
        (OUTLINE + "colour: red", "to have only name, .*; got 'colour' too"),
        (OUTLINE + "1: red", "got 1 too"),
        (OUTLINE.replace("version: 2", "version: two"), "version as a whole number; got 'two'"),
        (OUTLINE.replace("version: 2", "version: true"), "version as a whole number; got True"),
        (OUTLINE.replace("version: 2", "version: 2.5"), "version as a whole number; got 2.5"),
        (OUTLINE.replace("name: outline\n", "name: 7\n"), "name as text; got 7"),
        (
            OUTLINE.replace("name: cell}", "name: cell, color: 3}"),
            "a level to have only index, name, grey; got 'color'",
        ),
        (OUTLINE.replace("name: cell}", "name: cell, grey: 3}"), "for every level or for none; got 1 of 3"),
        (OUTLINE.replace("level: cell,", "level: cel,"), "level among background, cell, outline; got 'cel'"),
        (OUTLINE.replace("cells_interior", "__init__"), "a source among .*; got '__init__'"),
        (
            OUTLINE.replace("source: cell_boundary", "sauce: x"),
            "a painting rule to have level, source; it lacks source",
        ),
        (OUTLINE + "boundary_thickness_px: 65", "1 to 64 px; got 65"),
        (OUTLINE + "dilate_cell_boundary: 1", "dilate_cell_boundary as true or false; got 1"),
        (OUTLINE + "tier_limits: 5", "tier_limits as a list; got 5"),
        (OUTLINE + "tier_limits: [a]", "tier_limits as a list of numbers; got 'a'"),
        (OUTLINE + "tier_limits: [.nan]", "expected 0 tier_limits for 0 tiers; got 1"),
        ("name: x\nversion: 1\nlevels: []\npainting: []", "1 to 256 levels; got 0"),
    ],
)
def test_what_is_no_schema_is_refused_saying_what_was_expected_and_what_came(text: str, said: str) -> None:
    started = time.monotonic()
    with pytest.raises(InvalidSchema, match=said) as caught:
        parse_schema(text)
    assert time.monotonic() - started < 5
    assert len(caught.value.message) < 500


def test_257_levels_are_refused() -> None:
    levels = "\n".join(f"- {{index: {i}, name: l{i}}}" for i in range(257))
    with pytest.raises(InvalidSchema, match="1 to 256 levels; got 257"):
        parse_schema(f"name: many\nversion: 1\nlevels:\n{levels}\npainting:\n- {{level: l0, source: everything}}")


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="a1 :-[]{}&*!?|>'\"#%@`,\n\t.~=<é\x85", max_size=40))
@example("<<: 1")
@example("=")
@example("? ")
@example("%YAML 9.9\n---\na")
def test_any_text_is_read_or_refused_never_worse(text: str) -> None:
    with pytest.raises(InvalidSchema):
        parse_schema(text)


@settings(max_examples=200, deadline=None)
@given(
    at=st.integers(0, len(OUTLINE) - 1),
    letter=st.characters(codec="utf-8"),
)
def test_a_schema_with_one_letter_changed_is_read_or_refused(at: int, letter: str) -> None:
    text = OUTLINE[:at] + letter + OUTLINE[at + 1 :]
    try:
        schema = parse_schema(text)
    except InvalidSchema:
        return
    assert len(schema.levels) == 3
