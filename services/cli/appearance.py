"""--appearance: what labels cannot say about an image (docs/method.md, Appearance), set on the command line."""

from __future__ import annotations

import argparse

from biosynth.v1.types_pb2 import Appearance

NAMES = tuple(field.name for field in Appearance.DESCRIPTOR.fields)


def add_appearance(parser: argparse.ArgumentParser) -> None:
    """Declare --appearance."""
    parser.add_argument(
        "--appearance",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"order one of {', '.join(NAMES)} rather than have it drawn by seed; may be repeated",
    )


def appearance_of(arguments: argparse.Namespace) -> Appearance:
    """Return the values that were set, as the contract's message."""
    return Appearance(**dict(arguments.appearance))


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE with a name among {', '.join(NAMES)}; got {text!r}")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number for {name}; got {value!r}") from None
