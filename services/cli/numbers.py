"""Numbers on the command line, within what the contract can carry."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def whole_number(bits: int) -> Callable[[str], int]:
    """Return an argparse type for whole numbers of so many bits, none below 0."""

    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) >= 2**bits:
            raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {2**bits - 1}; got {text!r}")
        return int(text)

    return parse


COUNT = whole_number(32)
SEED = whole_number(64)
