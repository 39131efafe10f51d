"""Images that a command is given: files, folders and patterns, and under which names their results are written."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from services.cli.folders import SUFFIXES, list_images, stem_of
from services.cli.images.ome_zarr import is_zarr
from services.common.errors import InvalidImage

HELP = "images, folders of images, or patterns such as 'plate/*/*.tif'"


def are_many(given: Sequence[Path]) -> bool:
    """Whether results need names: for anything but one file, or one OME-Zarr folder."""
    return len(given) > 1 or is_folder(given[0]) or _is_pattern(given[0])


def find_images(given: Sequence[Path]) -> list[Path]:
    """All files that are meant, each once: of a folder and of a pattern its images by name, hidden ones left out.

    Raises InvalidImage for a folder or pattern without any.
    """
    found = [path for one in given for path in _images(one)]
    return list(dict.fromkeys(found))


def find_files(given: Sequence[Path]) -> list[Path]:
    """All files that are named, whatever they hold, each once: of a folder and of a pattern without hidden ones."""
    return list(dict.fromkeys(path for one in given for path in _files(one)))


def _files(given: Path) -> list[Path]:
    if is_folder(given):
        return sorted(path for path in given.iterdir() if not is_folder(path) and not path.name.startswith("."))
    return _matched(given) if _is_pattern(given) else [given]


def _matched(given: Path) -> list[Path]:
    # Not Path.glob, which takes no absolute pattern.
    matched = sorted(Path(name) for name in glob.glob(str(given), recursive=True))  # noqa: PTH207
    return [path for path in matched if not is_folder(path)]


def _images(given: Path) -> list[Path]:
    if is_folder(given):
        return list_images(given)
    if not _is_pattern(given):
        return [given]
    if images := [path for path in _matched(given) if path.suffix.lower() in SUFFIXES]:
        return images
    raise InvalidImage(f"expected images ({', '.join(SUFFIXES)}) that match {given}; found none")


def is_folder(path: Path) -> bool:
    """Whether it is a folder of images, and no OME-Zarr, which is one image."""
    return path.is_dir() and not is_zarr(path)


def _is_pattern(given: Path) -> bool:
    return glob.has_magic(str(given)) and not given.exists()


def result_names(paths: Sequence[Path]) -> list[str]:
    """A name for the results of each file, of which no two are equal, on no file system.

    The file's name without suffix; with its suffix where another in the folder differs in that alone. Files of several
    folders keep these, below the folder that holds all.

    >>> result_names([Path("in/a.png"), Path("in/a.tif"), Path("in/b.ome.tif")])
    ['a_png', 'a_tif', 'b']
    >>> result_names([Path("in/x/a.png"), Path("in/y/a.png")])
    ['x/a', 'y/a']
    """
    whole = [Path(os.path.normpath(path.absolute())) for path in paths]  # a link counts where it lies
    common = os.path.commonpath([path.parent for path in whole])
    short = [path.relative_to(common).with_name(stem_of(path)).as_posix() for path in whole]
    times = Counter(name.lower() for name in short)
    names: list[str] = []
    taken = {name.lower() for name in short if times[name.lower()] == 1}
    for path, name in zip(paths, short, strict=True):
        if times[name.lower()] > 1:
            name = f"{name}_{path.name[len(stem_of(path)) + 1 :].replace('.', '_')}"
            while name.lower() in taken:
                name += "_"
            taken.add(name.lower())
        names.append(name)
    return names
