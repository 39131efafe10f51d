"""A recipe: where a dataset's images and labels come from, and how they are split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from services.common.errors import InvalidArgument
from services.common.labels import PARTS

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """Images of one kind.

    images: glob below the data root. labels: part to folder of label maps with the images' stems; parts without labels
    come from `segmenter`. absent: parts that these images do not show (an assay without a wound). split: path of a CSV
    with columns id, split and maybe group; or group to split, a group being the prefix of the file's name.
    """

    name: str
    images: str
    split: str | Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    segmenter: str = ""
    absent: tuple[str, ...] = ()
    credit: str = ""


@dataclass(frozen=True)
class Recipe:
    """A dataset to build; `schema` is the name of a built-in schema."""

    name: str
    schema: str
    sources: tuple[Source, ...]


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from YAML. Raises InvalidArgument that names what is wrong."""
    try:
        body = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidArgument(f"expected a recipe, a YAML file, at {path}; {error}") from error
    if not isinstance(body, dict) or not isinstance(body.get("sources"), list):
        raise InvalidArgument(f"expected {path} with name, schema and a list of sources")
    sources = tuple(_read_source(entry) for entry in body.pop("sources"))
    return _build(Recipe, {**body, "sources": sources}, str(path))


def _read_source(body: Any) -> Source:
    if not isinstance(body, dict):
        raise InvalidArgument(f"expected a source as a mapping; got {body!r:.80}")
    source = _build(Source, {**body, "absent": tuple(body.get("absent", ()))}, "a source")
    if unknown := (set(source.labels) | set(source.absent)) - set(PARTS):
        raise InvalidArgument(f"expected parts among {', '.join(PARTS)}; got {', '.join(sorted(unknown))}")
    return source


def _build(kind: type[T], body: Mapping[str, Any], where: str) -> T:
    known = {entry.name for entry in fields(kind)}  # type: ignore[arg-type]  # only dataclasses come here
    if unknown := set(body) - known:
        raise InvalidArgument(
            f"expected keys among {', '.join(sorted(known))} in {where}; got {', '.join(sorted(unknown))}"
        )
    try:
        return kind(**body)
    except TypeError as error:
        raise InvalidArgument(f"expected more in {where}: {error}") from error
