"""Recipes of datasets."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.errors import InvalidArgument
from services.reference.schemas import builtin_schemas
from services.segmentation.builtin import builtin_segmenters
from services.training.datasets.recipe import Recipe, Source, read_recipe, shipped_recipes

GOOD = "name: mine\nschema: nuclei3\nsources:\n  - {name: one, images: '*.png', split: split.csv}\n"


def _read(folder: Path, text: str) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def test_a_recipe_needs_only_a_name_a_schema_and_sources(tmp_path: Path) -> None:
    assert _read(tmp_path, GOOD) == Recipe("mine", "nuclei3", (Source("one", "*.png", "split.csv"),))


@pytest.mark.parametrize("path", shipped_recipes().values(), ids=lambda path: path.stem)
def test_a_shipped_recipe_can_be_built_and_gives_credit(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    parts = set(builtin_schemas()[recipe.schema].parts)
    for source in recipe.sources:
        found = set(builtin_segmenters()[source.segmenter].parts) if source.segmenter else set()
        assert parts <= found | set(source.labels) | set(source.absent)
        assert source.credit


def test_there_are_shipped_recipes() -> None:
    assert list(shipped_recipes()) == ["fluo-nuclei", "nuclei", "phase-scratch"]


def _source(text: str) -> str:
    return f"name: mine\nschema: nuclei3\nsources: [{text}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "list of sources"),
        ("[]", "list of sources"),
        ("{", "expected a recipe, a YAML file"),
        ("!!python/object/apply:os.getcwd []", "expected a recipe, a YAML file"),
        ("name: mine\nsources: []", "expected name, schema, sources in .*; it lacks schema; `biosynth dataset --help`"),
        ("name: 3\nschema: nuclei3\nsources: []", "expected name as text"),
        (GOOD + "colour: red\n", "got colour"),
        (GOOD + "3: red\n", "got 3"),
        (_source("text"), "expected source 1 of .* as a mapping; got 'text'"),
        (_source("{name: one, images: '*.png'}"), "expected name, images, split in source 1 of .*; it lacks split"),
        (
            _source("{name: one, images: '*.png', split: 3}"),
            "expected split as text or a mapping in source 1 of .*; got 3",
        ),
        (_source("{name: one, images: ['*.png'], split: a.csv}"), "expected images as text"),
        (_source("{name: one, images: '*.png', split: a.csv, labels: [nuclei]}"), "expected labels as a mapping"),
        (
            _source("{name: one, images: '*.png', split: a.csv, labels: {eyes: x}}"),
            "cells, nuclei, wound in source 1 of .*; got eyes",
        ),
        (_source("{name: one, images: '*.png', split: a.csv, absent: wound}"), "expected absent as a list"),
        (
            _source("{name: one, images: '*.png', split: a.csv, absent: [eyes]}"),
            "cells, nuclei, wound in source 1 of .*; got eyes",
        ),
        (_source("{name: one, images: '*.png', split: a.csv, absent: [[]]}"), "expected parts among"),
        (_source("{name: one, images: '*.png', split: a.csv, size: 3}"), "in source 1 of .*; got size"),
        (_source("{name: one, images: '*.png', split: {1: train}}"), "expected text to text in source 1"),
        (_source("{name: one, images: '*.png', split: a.csv, labels: {nuclei: 3}}"), "expected text to text"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused_with_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        _read(tmp_path, text)


def test_bytes_that_are_no_text_and_absent_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("recipe.yaml", "absent.yaml"):
        with pytest.raises(InvalidArgument, match="expected a recipe, a YAML file, at"):
            read_recipe(tmp_path / name)
