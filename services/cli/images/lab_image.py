"""What is sent of a lab's file, and what was done to it on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.common.imaging.images import Image, decode_image, encode_png


@dataclass(frozen=True)
class LabImage:
    """What is sent, and of what it was made.

    data: a file as the services take it: the user's own where that can be, else an OME-TIFF of the planes that are
    meant. channels: the request's fields that name channels of it. shown: the channel that pictures show. frame: of a
    time series that is taken whole. notes: what people are to know. record: what run.json tells of the input.
    """

    data: bytes
    channels: Mapping[str, int]
    pixel_size_um: tuple[float, float] | None
    frame: int | None
    notes: tuple[str, ...]
    record: dict[str, Any] = field(repr=False)

    @property
    def shown(self) -> int | None:
        """The channel of `data` that pictures show: that of the cells where there are two."""
        return self.channels.get("cells_channel", self.channels.get("channel"))

    def pixels(self) -> Image:
        """The channel that is shown, (H, W) uint8 or uint16."""
        return decode_image(self.data, self.shown)

    def plane(self) -> bytes:
        """A file of that channel alone."""
        return self.data if self.shown is None else encode_png(self.pixels())


def channel_fields(channels: tuple[int, ...], places: tuple[int, ...]) -> dict[str, int]:
    """Fields of a request that name these channels, one or nuclei and cells, by their places in what is sent."""
    names = ("channel",) if len(channels) == 1 else ("nuclei_channel", "cells_channel")
    return dict(zip(names, places, strict=True))
