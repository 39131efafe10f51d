"""Every field under every condition, and what each tool finds in it: one image at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.errors import InvalidArgument
from services.common.imaging.images import Image
from services.common.imaging.labels import Labels
from services.evaluation.pictures import Picture, PictureSet, listed
from services.evaluation.sets.fidelity import agreement
from services.evaluation.sets.metric import Features
from services.evaluation.toolcheck.conditions import Level, degrade
from services.evaluation.toolcheck.spacing import spacing
from services.evaluation.toolcheck.tools import Tool

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Row:
    """What one tool found in one field at one level. agreement: (1, 8), as `agreement` has it."""

    tool: str
    level: Level
    field: str
    agreement: Features


@dataclass(frozen=True, eq=False)
class Surveyed:
    """What is known about a field before any tool sees it."""

    name: str
    objects: int
    spacing: float


def survey(images: PictureSet, part: str) -> list[Surveyed]:
    """Look at the truth of every field before any work.

    Raises InvalidArgument, listing them, for fields whose labels have another size or no object.
    """
    fields, other_size, bare = [], [], []
    for picture in images.pictures:
        true = truth(picture, part)
        if true.shape != picture.image.shape:
            other_size.append(f"{picture.name}: {_size(picture.image)} with labels of {_size(true)}")
        elif not (true > 0).any():
            bare.append(picture.name)
        else:
            fields.append(Surveyed(picture.name, len(np.unique(true[true > 0])), spacing(true)))
    if other_size:
        raise InvalidArgument(f"expected labels of their image's size; {listed(other_size)}")
    if bare:
        raise InvalidArgument(
            f"expected labels with objects; {len(bare)} of {len(images.names)} have none: {listed(bare)}; "
            "leave these images out: without objects there is nothing to find"
        )
    return fields


def measure(images: PictureSet, part: str, tools: Sequence[Tool], seed: int, progress: Progress) -> list[Row]:
    """What each tool finds in each field at each of its levels. progress: told how many results there are.

    Raises InvalidArgument for found labels of another size than the image's.
    """
    rows: list[Row] = []
    levels = list(dict.fromkeys(level for tool in tools for level in tool.levels))
    for picture in images.pictures:
        true = truth(picture, part)
        for level, image in under(levels, picture.image, true, picture.name, seed):
            for tool in tools:
                if level in tool.levels:
                    labels = found(tool, picture.name, level, image)
                    rows.append(Row(tool.name, level, picture.name, agreement(true, labels)))
                    progress(len(rows))
    return rows


def under(levels: Iterable[Level], image: Image, true: Labels, name: str, seed: int) -> Iterator[tuple[Level, Image]]:
    """An image at each of some levels."""
    for level in levels:
        yield level, degrade(image, true, level, name, seed)


def truth(picture: Picture, part: str) -> Labels:
    """The true labels of a field, (H, W) int32."""
    true: Labels = getattr(picture.labels, part)
    return true


def found(tool: Tool, name: str, level: Level, image: Image) -> Labels:
    """What a tool finds. Raises InvalidArgument for labels of another size."""
    labels = tool.find(name, level, image)
    if labels.shape != image.shape:
        raise InvalidArgument(
            f"expected masks of the image's size; {name!r:.80} ({level.folder}) is {_size(image)}, and its mask of "
            f"{tool.name!r:.80} {_size(labels)}"
        )
    return labels


def _size(plane: Image | Labels) -> str:
    return f"{plane.shape[0]} x {plane.shape[1]} px"
