"""An image as files hold it: planes by time, channel and depth, each read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidImage

# Pixels are read by place, the index on every axis that is not Y, X or S.
Place: TypeAlias = Mapping[str, int]
AXES = {"T": "times", "C": "channels", "Z": "depths"}
# Pages of a TIFF that does not say what they are: of the axis that the user names first, else channels.
UNNAMED = "I"


@dataclass(frozen=True)
class Stack:
    """One image of a file.

    axes: sizes of T, C and Z, and of UNNAMED, without those of 1. size: (H, W). colour: planes are (H, W, 3) RGB, not
    (H, W). channels: names, one for each channel, "" where the file has none. pixel_size_um: height and width of a
    pixel. read: the plane at a place, black is 0.
    """

    name: str
    axes: Mapping[str, int]
    size: tuple[int, int]
    dtype: np.dtype[Any]
    colour: bool
    channels: tuple[str, ...]
    pixel_size_um: tuple[float, float] | None
    read: Callable[[Place], NDArray[Any]]

    def described(self) -> str:
        """Its axes in words, for messages.

        >>> Stack("", {"T": 5, "C": 2}, (4, 6), np.dtype("u2"), False, ("DAPI", "GFP"), None, np.array).described()
        '5 times (T), 2 channels (C: DAPI, GFP), 4 x 6 px'
        """
        words = []
        for axis, size in self.axes.items():
            named = f": {', '.join(self.channels)}" if axis == "C" and all(self.channels) else ""
            words.append(f"{size} {AXES.get(axis, 'planes')} ({axis if axis in AXES else 'of no named axis'}{named})")
        return ", ".join([*words, f"{self.size[0]} x {self.size[1]} px"])


def sizes_of(axes: str, shape: tuple[int, ...]) -> dict[str, int]:
    """Sizes of the axes that a plane is chosen by, without those of 1. axes: a letter for each of the shape.

    Raises InvalidImage for axes that we know nothing of, such as positions, with more than one entry.

    >>> sizes_of("TZCYX", (5, 1, 2, 64, 64))
    {'T': 5, 'C': 2}
    """
    found = {axis: size for axis, size in zip(axes, shape, strict=True) if axis not in "YXS" and size > 1}
    if wrong := {axis: size for axis, size in found.items() if axis not in (*AXES, UNNAMED)}:
        listed = ", ".join(f"{axis} ({size})" for axis, size in wrong.items())
        raise InvalidImage(
            f"expected axes T (time), C (channel), Z (depth), Y and X; got {listed} too; save the part of interest "
            "alone"
        )
    if 0 in shape:
        raise InvalidImage(f"expected an image with pixels; got {axes} of sizes {' x '.join(map(str, shape))}")
    return found
