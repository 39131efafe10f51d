"""Lengths of time on the command line."""

from __future__ import annotations

import argparse
import re

_HOURS = {"s": 1 / 3600, "min": 1 / 60, "h": 1.0, "d": 24.0}
_LENGTH = re.compile(r"([0-9]*\.?[0-9]+)\s*(s|min|h|d)")


def hours(text: str) -> float:
    """A length of time in hours: an argparse type.

    >>> hours("30min"), hours("1.5 h")
    (0.5, 1.5)
    """
    found = _LENGTH.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(f"expected a length of time such as 90s, 30min, 2h or 1d; got {text!r}")
    return float(found[1]) * _HOURS[found[2]]
