"""Which plane of an image is meant: what the command line says of it."""

from __future__ import annotations

import argparse
import math
import re
from dataclasses import dataclass

ALL, MAX, MEAN = "all", "max", "mean"
_OPTION = re.compile(r"--(channel|z|time|scene|range)\b")


@dataclass(frozen=True)
class Wish:
    """None where nothing was said.

    channel, nuclei_channel, cells_channel: a number from 0, or a name. scene: which image of a file with several, a
    number from 0 or a name. z: a number from 0, `max` or `mean`. time: a number from 0, or `all`. limits: the values
    that become 0 and 65535.
    """

    channel: str | None = None
    nuclei_channel: str | None = None
    cells_channel: str | None = None
    scene: str | None = None
    z: str | None = None
    time: str | None = None
    limits: tuple[float, float] | None = None

    @property
    def frame(self) -> int | None:
        """The one frame that is meant, from 0."""
        return None if self.time in (None, ALL) else int(self.time)


def add_wish(parser: argparse._ActionsContainer, frames: bool = False, of: str = "", has_time: bool = True) -> None:
    """Declare --channel, --scene, --z, --time and --range.

    parser: where a command takes several images, or one beside masks, a group whose title says which is meant. frames:
    whether --time all makes sense. of: whose image it is, where there are several: `like` makes --like-channel and so
    on. has_time: whether there is --time.
    """
    name = f"--{of}-" if of else "--"
    parser.add_argument(
        f"{name}channel",
        metavar="N|NAME",
        help="channel, by number from 0 or by name; of colours red, green, blue, luminance",
    )
    parser.add_argument(f"{name}z", type=_depth, metavar="N|max|mean", help="plane of a z-stack from 0, or projection")
    if has_time:
        parser.add_argument(
            f"{name}time",
            type=_time if frames else _number,
            metavar="N|all" if frames else "N",
            help="frame of a time series from 0" + (", or all, one after the other" if frames else ""),
        )
    parser.add_argument(f"{name}scene", metavar="N|NAME", help="image of a file that holds several, from 0")
    parser.add_argument(
        f"{name}range",
        type=_value,
        nargs=2,
        metavar=("A", "B"),
        help="grey values that become black and white; default: 8 and 16 bit stay, others are scaled",
    )


def wish_of(arguments: argparse.Namespace, of: str = "") -> Wish:
    """What was said, by a command with `add_wish`, and with --nuclei-channel and --cells-channel where it has them."""
    prefix = f"{of}_" if of else ""
    names = ("channel", "nuclei_channel", "cells_channel", "scene", "z", "time")
    said = {name: getattr(arguments, f"{prefix}{name}", None) for name in names}
    limits = getattr(arguments, f"{prefix}range")
    return Wish(**said, limits=tuple(limits) if limits else None)


def called(text: str, of: str) -> str:
    """A text with the options that it names as `add_wish` has declared them.

    >>> called("choose with --z 0 to 3, or --range", "like")
    'choose with --like-z 0 to 3, or --like-range'
    """
    return _OPTION.sub(rf"--{of}-\1", text) if of else text


def _number(text: str) -> str:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a number from 0; got {text!r}")
    return text


def _depth(text: str) -> str:
    return text if text in (MAX, MEAN) else _number(text)


def _time(text: str) -> str:
    return text if text == ALL else _number(text)


def _value(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a grey value, such as 0 or 4095; got {text!r}")
    return value
