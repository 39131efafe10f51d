"""Images to be compared, with what they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import InvalidArgument
from services.common.imaging.images import Image
from services.common.imaging.labels import Segmentation

# More names than this are not listed in a message.
_MOST_LISTED = 8


@dataclass(frozen=True)
class Picture:
    """One image of a set, (H, W) as stored, and what it shows; None: not known."""

    name: str
    image: Image
    labels: Segmentation | None = None


@dataclass(frozen=True)
class PictureSet:
    """A named set. pictures may read each one when it is asked for; names: theirs, in the same order."""

    name: str
    names: tuple[str, ...]
    pictures: Sequence[Picture]


def shared_names(real: PictureSet, other: PictureSet) -> tuple[str, ...]:
    """Names of the pairs of two sets, in the order of `real`; () where they share none: they are not paired.

    Raises InvalidArgument, listing them, where some are paired and others are not.

    >>> shared_names(PictureSet("a", ("1", "2"), []), PictureSet("b", ("2", "1"), []))
    ('1', '2')
    """
    shared = set(real.names) & set(other.names)
    unpaired = sorted(set(real.names) ^ set(other.names))
    if shared and unpaired:
        raise InvalidArgument(
            f"expected every image of {real.name!r:.80} and {other.name!r:.80} to have a partner of its name, or none; "
            f"without one: {listed(unpaired)}",
            field="fields",
        )
    return tuple(name for name in real.names if name in shared)


def listed(names: Sequence[str]) -> str:
    """Names for a message, the first few of them."""
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(f"{name!r:.80}" for name in names[:_MOST_LISTED]) + more
