"""What was ordered, and which image is made of which mask: the same for every run, resumed run and shard of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FORMAT = "biosynth.order/1"


@dataclass(frozen=True)
class MaskFile:
    """A mask by its name below the folder of masks; named_group: as the user's pattern finds it, None without one."""

    name: str
    sha256: str
    named_group: str | None = None

    @property
    def group(self) -> str:
        """Masks of one group are in one split; without a pattern, those of one content: a copy would tell."""
        return self.sha256 if self.named_group is None else self.named_group


@dataclass(frozen=True)
class Ordered:
    """One image of an order. number: from 0. round: 0 where its mask is used as it is, else it is augmented."""

    number: int
    mask: MaskFile
    split: str
    round: int
    seed: int

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.number:06d}"


@dataclass(frozen=True)
class Order:
    """count images of masks, in turn. splits: of each mask, "" for none. record: all that its images depend on."""

    count: int
    seed: int
    masks: Sequence[MaskFile]
    splits: Sequence[str]
    record: Mapping[str, Any]

    def images(self) -> list[Ordered]:
        """All of them: every mask as it is, in order, then all again and again, augmented."""
        turns = (divmod(number, len(self.masks)) for number in range(self.count))
        return [
            Ordered(number, self.masks[place], self.splits[place], turn, image_seed(self.seed, number))
            for number, (turn, place) in enumerate(turns)
        ]


@dataclass(frozen=True)
class Batch:
    """Images of one split that are written together, and the name of their record."""

    name: str
    images: Sequence[Ordered]


def batches(images: Sequence[Ordered], size: int) -> list[Batch]:
    """All images in batches of at most `size`, each of one split; those of one image have its name."""
    if size == 1:
        return [Batch(image.name, [image]) for image in images]
    found = []
    for split in dict.fromkeys(image.split for image in images):
        of_split = [image for image in images if image.split == split]
        pieces = [of_split[start : start + size] for start in range(0, len(of_split), size)]
        found += [Batch(f"{split}-{number:06d}", piece) for number, piece in enumerate(pieces)]
    return found


def image_seed(seed: int, number: int) -> int:
    """The seed of one image, below 2**64: it depends on nothing but these, so shards and resumed runs agree on it.

    >>> image_seed(0, 0) != image_seed(0, 1) != image_seed(1, 0)
    True
    """
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:8], "big")


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """In what two orders' records differ: their fields' names."""
    return [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]
