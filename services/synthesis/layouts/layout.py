"""What a layout is: where the files of samples go, so that a tool finds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.synthesis.sample import Sample

TRAIN = "train"


@dataclass(frozen=True)
class Written:
    """files: by name below the order's folder. places: of each sample, what the manifest says of its parts."""

    files: Mapping[str, bytes]
    places: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Whole:
    """An order of which every image is there. lines: its manifest. part: `cells` or `nuclei`. read: gets a file."""

    lines: Sequence[Mapping[str, Any]]
    part: str
    read: Callable[[str], bytes]


class Layout(Protocol):
    """One way of laying out samples.

    batch: how many samples are written at a time. held_out: what the tool calls the second of two splits. only: the
    split of every sample where none was asked for, "" where the tool needs none.
    """

    @property
    def batch(self) -> int: ...  # noqa: D102
    @property
    def held_out(self) -> str: ...  # noqa: D102
    @property
    def only(self) -> str: ...  # noqa: D102

    def write(self, name: str, samples: Sequence[Sample]) -> Written:
        """The files of a batch of this name; its samples are of one split."""

    def finish(self, whole: Whole) -> Mapping[str, bytes]:
        """The files that tell of all samples."""


def folder_of(split: str) -> str:
    """What stands before the names of a split's files.

    >>> folder_of("train"), folder_of("")
    ('train/', '')
    """
    return f"{split}/" if split else ""
