"""A tool that is checked: a segmenter of ours, or whatever made the masks of a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from services.common.errors import InvalidArgument
from services.common.imaging.images import Image
from services.common.imaging.labels import Labels
from services.evaluation.toolcheck.conditions import Level
from services.segmentation.segmenter import Segmenter


@dataclass(frozen=True)
class Tool:
    """What finds objects.

    version: of a segmenter; None for masks. levels: those that it is checked at, UNDEGRADED among them. find: takes a
    field's name, a level, and the field's image at that level, (H, W); returns labels of that size.
    """

    name: str
    kind: Literal["segmenter", "masks"]
    version: int | str | None
    levels: Sequence[Level]
    find: Callable[[str, Level, Image], Labels]


def segmenter_tool(segmenter: Segmenter, part: str, levels: Sequence[Level]) -> Tool:
    """A segmenter as a tool that finds `part`. Raises InvalidArgument for one that does not find it."""
    if part not in segmenter.parts:
        raise InvalidArgument(
            f"expected a segmenter that finds {part}; {segmenter.name} finds {', '.join(segmenter.parts)}; "
            "choose another one, or another --part"
        )

    def find(_name: str, _level: Level, image: Image) -> Labels:
        labels: Labels = getattr(segmenter.segment(image), part)
        return labels

    return Tool(segmenter.name, "segmenter", segmenter.version, levels, find)
