"""Options by which images are taken to train on or left."""

from __future__ import annotations

import argparse
from dataclasses import asdict, fields

from services.training.datasets.quality.limits import Limits, with_limits

_NO_LIMITS = dict.fromkeys((field.name for field in fields(Limits)), None)
DEFAULTS = ", ".join(f"{name} {value:g}" for name, value in asdict(Limits()).items())


def add_limits(parser: argparse._ActionsContainer) -> None:
    """Declare --limit and --take-all."""
    parser.add_argument(
        "--limit",
        type=_limit,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"of image quality, repeatable; none for no such limit; default: {DEFAULTS} (docs/models.md)",
    )
    parser.add_argument("--take-all", action="store_true", help="leave out no image, whatever its quality")


def limits_of(arguments: argparse.Namespace) -> Limits:
    """The limits asked for. Raises InvalidArgument for one that there is not."""
    base = Limits(**_NO_LIMITS) if arguments.take_all else Limits()
    return with_limits(base, dict(arguments.limit))


def _limit(text: str) -> tuple[str, float | None]:
    name, _, value = text.partition("=")
    try:
        return name, None if value == "none" else float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected NAME=VALUE, such as focus=1.5 or focus=none; got {text!r}"
        ) from None
