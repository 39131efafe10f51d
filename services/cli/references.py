"""Which files of those that a command is given are references, and which are left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from services.cli.folders import SUFFIXES, stem_of
from services.cli.sources import are_many, find_files, find_images
from services.common.errors import InvalidReference
from services.evaluation.pictures import listed

_PNG = ".png"
_OTHERS = (*(suffix for suffix in SUFFIXES if suffix != _PNG), ".npy")


def find_references(given: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The references that are meant, and the images and masks beside them that are none, for they are no PNG.

    A file alone is taken as it is. Of folders, patterns and several files: *reference.png; where there is none, all
    PNG files. What a reference of the same name was drawn of counts as neither. Raises InvalidReference for none.
    """
    if not are_many(given):
        return list(given), []
    found = list(dict.fromkeys(path for one in given for path in _pngs(one)))
    others = [path for path in find_files(given) if path.suffix.lower() in _OTHERS]
    if not found:
        told = f"; {left_out(others)}" if others else ""
        raise InvalidReference(f"expected references (*reference.png) in {given[0]}; found none{told}")
    drawn = set(found)
    others = [path for path in others if path.with_name(f"{stem_of(path)}.reference.png") not in drawn]
    return [path for path in found if path.stem.endswith("reference")] or found, others


def left_out(others: Sequence[Path]) -> str:
    """What to say of files that are no references.

    >>> left_out([Path("a.tif"), Path("b.npy")]).partition(";")[0]
    "left out 2 files that are no PNG: 'a.tif', 'b.npy'"
    """
    are = "1 file that is" if len(others) == 1 else f"{len(others)} files that are"
    return (
        f"left out {are} no PNG: {listed([path.name for path in others])}; of masks, `biosynth render --as nuclei` or "
        "`--as cells` draws references"
    )


def _pngs(given: Path) -> list[Path]:
    # A folder without any is not for `find_images`, which knows no masks as .npy.
    if not any(path.suffix.lower() == _PNG for path in find_files([given])):
        return []
    return [
        path
        for path in find_images([given])
        if path.suffix.lower() == _PNG and not path.name.endswith("reference_grey.png")
    ]
