"""Options of `biosynth synthesize` that are more than numbers and names: argparse types."""

from __future__ import annotations

import argparse
import re


def shares(text: str) -> list[int]:
    """Of two or three splits, in percent; of two, the first as a fraction is enough.

    >>> shares("80/10/10"), shares("0.8")
    ([80, 10, 10], [80, 20])
    """
    if "/" not in text:
        return _fraction(text)
    found = [int(part) for part in text.split("/") if part.isdecimal() and int(part) > 0]
    if len(found) not in (2, 3) or len(found) != text.count("/") + 1:
        raise argparse.ArgumentTypeError(f"expected shares such as 80/20 or 80/10/10; got {text!r}")
    if sum(found) != 100:
        raise argparse.ArgumentTypeError(f"expected shares that sum to 100, such as 80/20; got {text!r}, {sum(found)}")
    return found


def _fraction(text: str) -> list[int]:
    try:
        percent = round(100 * float(text))
    except (ValueError, OverflowError):
        percent = 0
    if not 0 < percent < 100:
        raise argparse.ArgumentTypeError(f"expected shares such as 80/20, or 0.8 for the same; got {text!r}")
    return [percent, 100 - percent]


def two_shares(text: str) -> list[int]:
    """Of train and val alone, as `shares`.

    >>> two_shares("80/20"), two_shares("0.8")
    ([80, 20], [80, 20])
    """
    if text.count("/") > 1:
        raise argparse.ArgumentTypeError(f"expected two shares, such as 80/20; got {text!r}")
    return shares(text)


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression."""
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"expected a regular expression such as '(plate\\d+)_'; {error}") from None


def shard(text: str) -> tuple[int, int]:
    """Which one, from 1, of how many.

    >>> shard("2/4")
    (2, 4)
    """
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"expected I/N with I from 1 to N, such as 1/4; got {text!r}")
    return int(found[1]), int(found[2])
