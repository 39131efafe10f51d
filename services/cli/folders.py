"""Folders of images, and what their images show under the same names: how every command reads them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from biosynth.contract import EXTENSIONS

from services.cli.files import read_input
from services.common.errors import BiosynthError, InvalidArgument, InvalidImage, InvalidSegmentation
from services.common.imaging.images import decode_image, decode_label_map
from services.common.imaging.labels import Labels, Segmentation
from services.common.imaging.ometiff import decode_segmentation
from services.evaluation.pictures import Picture, PictureSet, listed

SUFFIXES = (*(f".{extension}" for extension in EXTENSIONS), ".tiff", ".jpeg")
_SEGMENTATION = (".ome.tif", ".ome.tiff")
LABEL_SUFFIXES = (*_SEGMENTATION, ".png", ".tif", ".tiff")  # the first that is there counts


def list_images(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """The images of a folder by name, hidden files left out. Raises InvalidImage where there are none."""
    if not folder.is_dir():
        raise InvalidImage(f"expected a folder of images; got {folder}")
    paths = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith(".")
    )
    if not paths:
        raise InvalidImage(f"expected images ({', '.join(suffixes)}) in {folder}; found none")
    return paths


def stem_of(path: Path) -> str:
    """The name before its suffix.

    >>> stem_of(Path("a.b.ome.tif")), stem_of(Path("a.b.png"))
    ('a.b', 'a.b')
    """
    return re.sub(r"(\.ome)?\.[^.]+$", "", path.name, flags=re.IGNORECASE)


def find_labels(folder: Path, name: str) -> Path | None:
    """The segmentation or label map called `name` in a folder; None where there is none."""
    return next((path for suffix in LABEL_SUFFIXES if (path := folder / f"{name}{suffix}").is_file()), None)


def is_segmentation(path: Path) -> bool:
    """Whether a file is named as those of `biosynth segment`, with named parts."""
    return path.name.lower().endswith(_SEGMENTATION)


def read_labels(path: Path, part: str) -> Labels:
    """Read a part from a segmentation, or from a label map in which every value is an object."""
    data = read_input(path)
    with naming(path):
        if not is_segmentation(path):
            return decode_label_map(data)
        found = getattr(decode_segmentation(data), part)
        if found is None:
            raise InvalidSegmentation(f"expected {part}; the segmentation has none")
        return np.asarray(found, np.int32)


class LabelledImages(Sequence[Picture]):
    """Pairs of an image and its label map, each read when it is asked for: memory does not grow with their number.

    part: what the labels are. channel: of multi-channel images, from 0.
    """

    def __init__(self, pairs: Sequence[tuple[Path, Path]], part: str, channel: int | None) -> None:
        self._pairs, self._part, self._channel = pairs, part, channel

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: Any) -> Any:
        """Read one. Raises InvalidImage and InvalidSegmentation."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        path, shown = self._pairs[index]
        with naming(path):
            image = decode_image(read_input(path), self._channel)
        labels: dict[str, Any] = {self._part: read_labels(shown, self._part)}
        return Picture(stem_of(path), image, Segmentation(**labels))


def open_labelled(folder: Path, labels: Path, part: str, channel: int | None = None) -> PictureSet:
    """The images of a folder with their labels; none is read yet. Raises as `pair_up`."""
    pairs = pair_up(folder, labels)
    names = tuple(stem_of(path) for path, _ in pairs)
    return PictureSet(folder.resolve().name, names, LabelledImages(pairs, part, channel))


def pair_up(folder: Path, labels: Path) -> list[tuple[Path, Path]]:
    """Each image of a folder and its labels in another.

    Raises InvalidImage for a folder without images or with two of one name, InvalidArgument for images without labels.
    """
    paths = list_images(folder)
    names = [stem_of(path) for path in paths]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InvalidImage(
            f"expected names that differ before their suffix in {folder}; more than once: {listed(twice)}"
        )
    found = [find_labels(labels, name) for name in names]
    if absent := [name for name, path in zip(names, found, strict=True) if path is None]:
        raise InvalidArgument(
            f"expected labels ({', '.join(LABEL_SUFFIXES)}) in {labels} under the name of every image of {folder}; "
            f"there are none for {len(absent)} of {len(names)}: {listed(absent)}"
        )
    return [(path, shown) for path, shown in zip(paths, found, strict=True) if shown]


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Say in an error which file it is about."""
    try:
        yield
    except BiosynthError as error:
        named = type(error)(f"{path}: {error.message}")
        named.metadata = error.metadata
        raise named from error
