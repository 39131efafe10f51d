"""What is sought in an image, and in which of its channels, as a request says it: checked before any work."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from services.common.errors import InvalidArgument
from services.common.ranges import PIXEL_UM


@dataclass(frozen=True)
class TwoChannels:
    """Where nuclei and where cells are to be found, as indices of channels from 0."""

    nuclei: int
    cells: int


def two_channels(request: Any) -> TwoChannels | None:
    """The two channels that a SegmentRequest or a RunRequest names; None where it names none.

    Raises InvalidArgument where only one is named, where both are the same, and where `channel` is set as well.
    """
    named = {name: request.HasField(name) for name in ("nuclei_channel", "cells_channel")}
    if not any(named.values()):
        return None
    if absent := next((name for name, there in named.items() if not there), ""):
        raise InvalidArgument("expected nuclei_channel and cells_channel together; got one of them", field=absent)
    if request.HasField("channel"):
        raise InvalidArgument(
            f"expected no channel beside nuclei_channel and cells_channel; got {request.channel}", field="channel"
        )
    if request.nuclei_channel == request.cells_channel:
        raise InvalidArgument(
            f"expected nuclei_channel and cells_channel to differ; got {request.nuclei_channel} twice; for an image of "
            "one channel leave both out",
            field="nuclei_channel",
        )
    return TwoChannels(request.nuclei_channel, request.cells_channel)


def check_finds_cells(segmenter: str, parts: Collection[str]) -> None:
    """Raise InvalidArgument where a segmenter of these parts cannot run in the channel that shows cells."""
    if "cells" not in parts:
        raise InvalidArgument(
            f"expected a segmenter that finds cells, for cells_channel; {segmenter} finds {', '.join(parts)}",
            field="segmenter",
        )


def diameter_of(request: Any) -> float | None:
    """The diameter in pixels that a SegmentRequest or a RunRequest names; None where it names none.

    Raises InvalidArgument for one that no object has, whatever its image.
    """
    if not request.HasField("diameter_px"):
        return None
    diameter: float = request.diameter_px
    if not (math.isfinite(diameter) and diameter >= 1):
        raise InvalidArgument(f"expected a diameter of 1 px or more; got {diameter:g}", field="diameter_px")
    return diameter


def pixel_size_of(request: Any) -> float | None:
    """The side of a pixel in um that a SegmentRequest or a RunRequest names; None where it names none.

    Raises InvalidArgument for one that no pixel has.
    """
    if not request.HasField("pixel_size_um"):
        return None
    size: float = request.pixel_size_um
    if not PIXEL_UM[0] <= size <= PIXEL_UM[1]:
        raise InvalidArgument(
            f"expected a pixel size from {PIXEL_UM[0]:g} to {PIXEL_UM[1]:g} um; got {size:g}",
            field="pixel_size_um",
        )
    return size
