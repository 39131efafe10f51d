"""LIF (Leica), by the reader liffile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.cli.images.damage import damage_named
from services.cli.images.stack import Place, Stack, sizes_of

_KIND = "a LIF"
_DIMENSIONS = "./Data/Image/ImageDescription/Dimensions/DimensionDescription"
_CHANNELS = "./Data/Image/ImageDescription/Channels/ChannelDescription"
_IDS = {"X": "1", "Y": "2"}


@contextmanager
def lif_stacks(path: Path) -> Iterator[list[Stack]]:
    """The images of a LIF file. Raises InvalidImage for a damaged one."""
    import liffile

    with ExitStack() as opened:
        with damage_named(_KIND):
            file = opened.enter_context(liffile.LifFile(path, squeeze=False))
            stacks = [_stack(image) for image in file.images]
        yield stacks


def _stack(image: Any) -> Stack:
    sizes: Mapping[str, int] = image.sizes
    outer = [axis for axis in sizes if axis not in "YXS"]

    def read(place: Place) -> NDArray[Any]:
        with damage_named(_KIND):
            return np.asarray(image.frames(**{axis: place.get(axis, 0) for axis in outer}).asarray()).squeeze()

    number = sizes.get("C", 1)
    names = [_name(channel) for channel in image.xml_element.findall(_CHANNELS)]
    return Stack(
        name=image.name,
        axes=sizes_of("".join(sizes), tuple(sizes.values())),
        size=(sizes["Y"], sizes["X"]),
        dtype=np.dtype(image.dtype),
        colour=sizes.get("S", 1) > 1,
        channels=tuple(names) if len(names) == number else ("",) * number,
        pixel_size_um=_pixel_size(image),
        read=read,
    )


def _name(channel: Any) -> str:
    """The dye where the file tells it, else the colour that it is shown in."""
    found = {one.findtext("Key"): one.findtext("Value") for one in channel.findall("ChannelProperty")}
    return str(found.get("DyeName") or channel.get("LUTName") or "")


def _pixel_size(image: Any) -> tuple[float, float] | None:
    """In um; the file has the length from the first pixel's centre to the last one's, in metres."""
    sides = []
    told = {one.get("DimID"): one for one in image.xml_element.findall(_DIMENSIONS)}
    for axis in "YX":
        one = told.get(_IDS[axis])
        if one is None or not re.fullmatch("m", one.get("Unit", "")) or int(one.get("NumberOfElements", 0)) < 2:
            return None
        sides.append(1e6 * abs(float(one.get("Length", 0))) / (int(one.get("NumberOfElements")) - 1))
    return (sides[0], sides[1]) if all(side > 0 for side in sides) else None
