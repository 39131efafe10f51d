"""--appearance: what labels cannot say about an image (docs/method.md, Appearance), set on the command line."""

from __future__ import annotations

import argparse

from biosynth.v1.types_pb2 import Appearance

from services.common.errors import InvalidArgument
from services.common.ranges import check_appearance

NAMES = tuple(field.name for field in Appearance.DESCRIPTOR.fields)


SAMPLED = "sampled"


def add_appearance(parser: argparse.ArgumentParser, sampled: bool = False) -> None:
    """Declare --appearance; `sampled` is taken as well where a look is measured unless told otherwise."""
    other = f"{SAMPLED}: draw the look by seed instead of measuring it on the image; or " if sampled else ""
    parser.add_argument(
        "--appearance",
        type=_pair_or_sampled if sampled else _pair,
        action="append",
        default=[],
        metavar=f"{SAMPLED}|NAME=VALUE" if sampled else "NAME=VALUE",
        help=f"{other}set one of {', '.join(NAMES)}, whatever the look says; may be repeated",
    )


def appearance_of(arguments: argparse.Namespace) -> Appearance:
    """Return the values that were set, as the contract's message."""
    return Appearance(**values_of(arguments))


def values_of(arguments: argparse.Namespace) -> dict[str, float]:
    """Return the values that were set, by name."""
    return dict(pair for pair in arguments.appearance if pair != SAMPLED)


def _pair_or_sampled(text: str) -> tuple[str, float] | str:
    return SAMPLED if text == SAMPLED else _pair(text)


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if text == SAMPLED:
        raise argparse.ArgumentTypeError(
            f"expected NAME=VALUE; got {SAMPLED}, which is for `run`: here looks are drawn"
        )
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE with a name among {', '.join(NAMES)}; got {text!r}")
    try:
        number = float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number for {name}; got {value!r}") from None
    try:
        check_appearance({name: number})
    except InvalidArgument as error:
        raise argparse.ArgumentTypeError(error.message) from None
    return name, number
