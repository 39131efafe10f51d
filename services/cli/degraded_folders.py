"""Folders by condition: degraded images for a tool that runs elsewhere, and the masks that it made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from services.cli.files import check_folder, refuse_overwriting
from services.cli.folders import read_labels
from services.cli.notes import Notes
from services.common.errors import InvalidArgument
from services.common.imaging.images import Image, encode_png
from services.common.imaging.labels import Labels
from services.common.imaging.masks.names import find_labels
from services.common.whole_files import write_file
from services.evaluation.pictures import PictureSet, listed
from services.evaluation.toolcheck.conditions import CONDITIONS, UNDEGRADED, Level
from services.evaluation.toolcheck.measure import survey, truth, under
from services.evaluation.toolcheck.tools import Tool

FORMAT = "biosynth.toolcheck-images/1"
_LEVEL_FOLDER = re.compile(rf"({'|'.join(CONDITIONS)})-[\d.e+-]+")


def write_images(
    images: PictureSet, part: str, levels: Sequence[Level], seed: int, out: Path, inputs: Sequence[Path],
    progress: Callable[[], object],
) -> None:  # fmt: skip
    """Write OUT/LEVEL/NAME.png of every image at every level, and OUT/manifest.json, which lists them.

    inputs: files that are not to be overwritten. progress: called for each image. Raises InvalidArgument, and as
    `survey` does.
    """
    refuse_overwriting(inputs, [out / level.folder / f"{name}.png" for level in levels for name in images.names])
    survey(images, part)
    for level in levels:
        check_folder(out / level.folder)
    for picture in images.pictures:
        for level, image in under(levels, picture.image, truth(picture, part), picture.name, seed):
            write_file(out / level.folder / f"{picture.name}.png", encode_png(image))
            progress()
    described = [{"folder": one.folder, "condition": one.condition, "level": one.value} for one in levels]
    manifest = {"format": FORMAT, "seed": seed, "folders": described, "names": images.names}
    write_file(out / "manifest.json", (json.dumps(manifest, indent=1) + "\n").encode())


def masks_tool(folder: Path, part: str, names: Sequence[str], levels: Sequence[Level], notes: Notes) -> Tool:
    """What made the masks of a folder: of all levels by folder, or directly in it of the undegraded images alone.

    Raises InvalidArgument, listing them, for masks that are missing, and for folders of levels that are not asked for.
    """
    if not folder.is_dir():
        raise InvalidArgument(f"expected a folder of masks; got {folder}")
    present = {path.name for path in folder.iterdir() if path.is_dir() and _LEVEL_FOLDER.fullmatch(path.name)}
    if strange := sorted(present - {level.folder for level in levels}):
        raise InvalidArgument(
            f"expected masks in {folder} of the levels that are asked for; there are others: {listed(strange)}; ask "
            "for the levels that --write-images was given"
        )
    kept = list(levels) if present else [UNDEGRADED]
    files = {(level, name): find_labels(_place(folder, level), name) for level in kept for name in names}
    if missing := [f"{level.folder}/{name}" for (level, name), path in files.items() if path is None]:
        raise InvalidArgument(
            f"expected a mask in {folder} for every image at every level; {len(missing)} of {len(files)} are missing: "
            f"{listed(missing)}"
        )

    def find(name: str, level: Level, image: Image) -> Labels:
        path = files[level, name]
        if path is None:
            raise AssertionError("missing masks are refused before")  # above
        height, width = image.shape
        return read_labels(path, part, notes, (height, width)).labels(part)

    return Tool(folder.resolve().name, "masks", None, kept, find)


def _place(folder: Path, level: Level) -> Path:
    """Undegraded masks may lie directly in the folder."""
    inner = folder / level.folder
    return folder if level == UNDEGRADED and not inner.is_dir() else inner
