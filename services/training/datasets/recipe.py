"""A recipe: where a dataset's images and labels come from, and how they are split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml
from biosynth.contract import PARTS

from services.common.errors import InvalidArgument, UnknownName

T = TypeVar("T")
EXAMPLE = """\
name: my-nuclei
schema: nuclei3                          # see `biosynth info`
sources:                                 # one or more
  - name: plate1
    images: plate1/images/*.tif          # below --data
    labels: {nuclei: plate1/masks}       # masks of the images' names; of each part that the schema needs
    split: {wellA: train, wellB: val}    # by how file names begin, the longest that fits; or a CSV with columns id,
                                         # split and maybe group
    segmenter: ""                        # optional, as all below: finds the parts that have no labels
    absent: []                           # parts that these images do not show, such as [wound]
    credit: who made them, licence       # goes into the model's card
"""
_SHIPPED = Path(__file__).parent / "recipes"
# The YAML types of a source's values, by key.
_KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "images", "segmenter", "credit"), (str,)),
    "split": (str, dict),
    "labels": (dict,),
    "absent": (list,),
}
_WORDS: Mapping[type, str] = {str: "text", dict: "a mapping", list: "a list"}


@dataclass(frozen=True)
class Source:
    """Images of one kind.

    images: glob below the data root. labels: part to folder of label maps with the images' stems; parts without labels
    come from `segmenter`. absent: parts that these images do not show (an assay without a wound). split: path of a CSV
    with columns id, split and maybe group; or a mapping from group to split, a group being a prefix of file names, the
    longest that a name begins with.
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


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with this package, by name, sorted."""
    return {path.stem: path for path in sorted(_SHIPPED.glob("*.yaml"))}


def find_recipe(text: str) -> Recipe:
    """Read a recipe by file or by the name of a shipped one. Raises UnknownName."""
    if text.endswith((".yaml", ".yml")):
        return read_recipe(Path(text))
    shipped = shipped_recipes()
    if text not in shipped:
        raise UnknownName(f"expected a recipe among {', '.join(shipped)}, or a .yaml file; got {text!r}")
    return read_recipe(shipped[text])


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from YAML. Raises InvalidArgument that names what is wrong."""
    try:
        body = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidArgument(f"expected a recipe, a YAML file, at {path}; {error}") from error
    if not isinstance(body, dict) or not isinstance(body.get("sources"), list):
        raise InvalidArgument(
            f"expected name, schema and a list of sources in {path}; `biosynth dataset --help` prints an example"
        )
    for key in ("name", "schema"):
        _check_kind(body, key, (str,), str(path))
    sources = tuple(
        _read_source(entry, f"source {number} of {path}") for number, entry in enumerate(body.pop("sources"), 1)
    )
    return _build(Recipe, {**body, "sources": sources}, str(path))


def _read_source(body: Any, where: str) -> Source:
    if not isinstance(body, dict):
        raise InvalidArgument(f"expected {where} as a mapping; got {body!r:.80}")
    for key, kinds in _KINDS.items():
        _check_kind(body, key, kinds, where)
    source = _build(Source, {**body, "absent": tuple(body.get("absent", ()))}, where)
    if unknown := [str(part) for part in (*source.labels, *source.absent) if part not in PARTS]:
        raise InvalidArgument(f"expected parts among {', '.join(PARTS)} in {where}; got {', '.join(unknown)}")
    for mapping in (source.labels, source.split):
        if isinstance(mapping, Mapping) and not all(isinstance(word, str) for item in mapping.items() for word in item):
            raise InvalidArgument(f"expected text to text in {where}; got {mapping!r:.80}")
    return source


def _check_kind(body: Mapping[str, Any], key: str, kinds: tuple[type, ...], where: str) -> None:
    if key in body and not isinstance(body[key], kinds):
        expected = " or ".join(_WORDS[kind] for kind in kinds)
        raise InvalidArgument(f"expected {key} as {expected} in {where}; got {body[key]!r:.80}")


def _build(kind: type[T], body: Mapping[str, Any], where: str) -> T:
    known = {entry.name for entry in fields(kind)}  # type: ignore[arg-type]  # only dataclasses come here
    if unknown := sorted(str(key) for key in set(body) - known):
        raise InvalidArgument(f"expected keys among {', '.join(sorted(known))} in {where}; got {', '.join(unknown)}")
    needed = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]  # type: ignore[arg-type]
    if missing := [name for name in needed if name not in body]:
        raise InvalidArgument(
            f"expected {', '.join(needed)} in {where}; it lacks {', '.join(missing)}; `biosynth dataset --help` prints "
            "an example"
        )
    return kind(**body)
