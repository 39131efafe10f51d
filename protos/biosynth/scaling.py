"""Pixels of any number type as the services take them: 8 or 16 bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biosynth.errors import InvalidInputError

MOST = int(np.iinfo(np.uint16).max)
_BAND_PIXELS = 1 << 22  # numbers are widened by bands of rows, so that memory does not grow with the image


@dataclass(frozen=True)
class Span:
    """The least and the greatest finite value, whether all values are whole, and how many are NaN or infinite."""

    least: float
    greatest: float
    whole: bool
    unfit: int

    def joined(self, other: Span) -> Span:
        """That of both images together."""
        return Span(
            min(self.least, other.least),
            max(self.greatest, other.greatest),
            self.whole and other.whole,
            self.unfit + other.unfit,
        )


@dataclass(frozen=True)
class Scaling:
    """How values become 16 bit: linearly from `low`, which becomes 0, to `high`, which becomes 65535.

    low, high: None where values stay as they are. note: the same in words; empty where nothing is done.
    """

    low: float | None = None
    high: float | None = None
    note: str = ""

    def apply(self, image: NDArray[Any]) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The image, (H, W), as uint8 or uint16: rounded, beyond the range clipped; NaN becomes 0."""
        if image.dtype == np.bool_:
            return image.astype(np.uint8) * np.uint8(255)
        if self.low is None or self.high is None:
            native = image.astype(image.dtype.newbyteorder("="), copy=False)
            return native if native.dtype in (np.uint8, np.uint16) else native.astype(np.uint16)
        scaled = np.zeros(image.shape, np.uint16)
        half = self.high / 2 - self.low / 2  # halves, for the difference of the largest numbers is infinite
        for rows in _bands(image) if half > 0 else ():  # a constant image becomes 0
            # In double precision: of large numbers close to each other, float32 would lose all.
            part = (image[rows].astype(np.float64) / 2 - self.low / 2) / half * MOST
            scaled[rows] = np.rint(np.clip(np.nan_to_num(part, nan=0.0), 0, MOST))
        return scaled


def span_of(image: NDArray[Any]) -> Span:
    """The span of an image, (H, W) of bool, integers or floating point. Raises InvalidInputError for other types."""
    if image.dtype.kind not in "buif" or image.size == 0:
        raise InvalidInputError(f"expected pixels that are numbers; got shape {image.shape} {image.dtype}")
    least, greatest, whole, unfit = np.inf, -np.inf, True, 0
    for rows in _bands(image):
        part = image[rows]
        if image.dtype.kind == "f":
            finite = part[np.isfinite(part)]
            unfit += part.size - finite.size
            whole = whole and bool((finite == np.rint(finite)).all())
            part = finite
        if part.size:
            least, greatest = min(least, float(part.min())), max(greatest, float(part.max()))
    return Span(least, greatest, whole, unfit)


def scaling_for(dtype: np.dtype[Any], span: Span, limits: tuple[float, float] | None = None) -> Scaling:
    """The rule: what is done to values of this type and span.

    limits: the values that become 0 and 65535; None: 8 and 16 bit stay as they are, so do whole numbers from 0 to 65535
    of any type, and all else is stretched from its least to its greatest value. Raises InvalidInputError for NaN or
    infinite values without limits, and for limits that do not rise.

    >>> scaling_for(np.dtype(np.float32), Span(-1.0, 3.0, False, 0)).note
    'float32 from -1 to 3 was scaled to 0 to 65535'
    >>> scaling_for(np.dtype(np.int16), Span(0, 4095, True, 0)).note
    'int16 of whole numbers from 0 to 4095 was kept as 16 bit'
    """
    dtype = dtype.newbyteorder("=")
    came = f"{dtype} from {span.least:g} to {span.greatest:g}"
    if limits is not None:
        return _within(*limits, span, came)
    if span.unfit:
        raise InvalidInputError(
            f"expected numbers in every pixel; got {span.unfit} NaN or infinite values; give the range of values that "
            "matters: NaN then becomes its lower end, and infinite values its ends"
        )
    if dtype in (np.uint8, np.uint16):
        return Scaling()
    if dtype == np.bool_:
        return Scaling(note="false and true became 0 and 255")
    if span.whole and span.least >= 0 and span.greatest <= MOST:
        return Scaling(note=f"{dtype} of whole numbers from {span.least:g} to {span.greatest:g} was kept as 16 bit")
    return Scaling(span.least, span.greatest, f"{came} was scaled to 0 to {MOST}")


def scaled(
    image: NDArray[Any], limits: tuple[float, float] | None = None
) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], str]:
    """An image, (H, W), as the services take it, and what was done to it, in words: docs/images.md has the rule.

    limits: the values that become 0 and 65535; they make images comparable that were taken alike. Raises
    InvalidInputError as `scaling_for`.

    >>> scaled(np.array([[0.0, 0.25, 1.0]], np.float32))
    (array([[    0, 16384, 65535]], dtype=uint16), 'float32 from 0 to 1 was scaled to 0 to 65535')
    """
    rule = scaling_for(image.dtype, span_of(image), limits)
    return rule.apply(image), rule.note


def _within(low: float, high: float, span: Span, came: str) -> Scaling:
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InvalidInputError(f"expected a range that rises, such as 0 and 4095; got {low:g} and {high:g}")
    if span.least > span.greatest:
        raise InvalidInputError(f"expected numbers in some pixels; got {span.unfit} NaN or infinite values alone")
    note = f"{came} was scaled, {low:g} to {high:g} became 0 to {MOST}"
    if span.least < low or span.greatest > high or span.unfit:
        note += "; what lies beyond was clipped"
    return Scaling(low, high, note + (f", with {span.unfit} NaN or infinite values" if span.unfit else ""))


def _bands(image: NDArray[Any]) -> Iterator[slice]:
    rows = max(1, _BAND_PIXELS // max(1, image.shape[-1]))
    return (slice(top, top + rows) for top in range(0, image.shape[0], rows))
