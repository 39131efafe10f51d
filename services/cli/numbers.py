"""Numbers on the command line, within what the contract can carry."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def whole_number(bits: int, least: int = 0) -> Callable[[str], int]:
    """Return an argparse type for whole numbers of so many bits, none below `least`."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) < 2**bits:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {2**bits - 1}; got {text!r}")
        return int(text)

    return parse


COUNT = whole_number(32)
POSITIVE = whole_number(32, least=1)
SEED = whole_number(64)


def tier_limits(text: str) -> tuple[float, ...]:
    """Limits between grey tiers, as `--tier-limits` takes them: an argparse type."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected rising numbers, such as 61.5,78; got {text!r}") from None
