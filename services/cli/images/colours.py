"""One grey channel of colours: luminance, or the channel in which a stain is to be seen."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.errors import WrongChannel

LUMINANCE = "luminance"
PRIMARIES = ("red", "green", "blue")
COLOURS = (*PRIMARIES, LUMINANCE)
# Luminance has all of what a tinted grey frame shows, and a ninth of what a blue stain does.
_ENOUGH = 2 / 3  # of the strongest channel's contrast
_FLAT = 1 / 4  # of it: a channel that shows nothing
_ALIKE = 0.9  # correlation with it: a channel that shows the same
_OUTLIERS_PERCENT = 0.2
_SAMPLE_PIXELS = 1 << 20


def choose_colour(pixels: NDArray[Any], asked: str | None = None) -> tuple[str, str]:
    """Which channel of colours to take, and why, in words; "" where the choice changes nothing.

    pixels: (H, W, 3) RGB. asked: one of COLOURS, or 0 to 2 for red, green and blue; None: by the rule of
    docs/images.md. Raises WrongChannel for another name.

    >>> blue = np.zeros((4, 4, 3), np.uint8)
    >>> blue[1, 1:, 2] = 200
    >>> choose_colour(blue)[0]
    'blue'
    """
    if asked is not None:
        numbered = dict(zip("012", PRIMARIES, strict=True))
        if (name := numbered.get(asked, asked.lower())) not in COLOURS:
            raise WrongChannel(
                f"expected --channel {', '.join(COLOURS)} or 0 to 2, for an image in colours; got {asked}",
                asked=asked,
                channels=3,
            )
        return name, f"{name} was taken of its colours"
    if (pixels[:, :, :1] == pixels[:, :, 1:]).all():
        return "red", ""
    return _by_contrast(_sample(pixels).astype(np.float32))


def grey_of(pixels: NDArray[Any], colour: str) -> NDArray[Any]:
    """One channel of (H, W, 3) RGB, or luminance by ITU-R BT.601, (H, W) of the same dtype."""
    if colour != LUMINANCE:
        return np.ascontiguousarray(pixels[:, :, PRIMARIES.index(colour)])
    known = pixels.dtype in (np.uint8, np.uint16, np.float32)
    grey = cv2.cvtColor(np.ascontiguousarray(pixels if known else pixels.astype(np.float32)), cv2.COLOR_RGB2GRAY)
    return grey if known or pixels.dtype.kind == "f" else np.rint(grey).astype(pixels.dtype)


def _by_contrast(sample: NDArray[np.float32]) -> tuple[str, str]:
    """sample: (n, 3)."""
    contrasts = _contrast(sample)
    strongest = int(np.argmax(contrasts))
    luminance = _contrast(sample @ np.array([0.299, 0.587, 0.114], np.float32))
    if luminance >= _ENOUGH * contrasts[strongest]:
        return LUMINANCE, "its colours became luminance (--channel red, green or blue takes one of them)"
    for other in range(3):
        if other != strongest and contrasts[other] > _FLAT * contrasts[strongest]:
            alike = np.corrcoef(sample[:, strongest], sample[:, other])[0, 1]
            if alike < _ALIKE:
                return LUMINANCE, (
                    "its colours show different things, and became luminance: choose what shows the objects with "
                    "--channel red, green or blue"
                )
    name = PRIMARIES[strongest]
    return name, f"{name} was taken of its colours, which carry one stain (--channel luminance mixes them)"


def _contrast(values: NDArray[np.float32]) -> NDArray[np.float64]:
    low, high = np.percentile(values, (_OUTLIERS_PERCENT, 100 - _OUTLIERS_PERCENT), axis=0)
    return np.asarray(high - low, np.float64)


def _sample(pixels: NDArray[Any]) -> NDArray[Any]:
    """(n, 3), of large images every few rows and columns."""
    step = max(1, int(np.ceil(np.sqrt(pixels.shape[0] * pixels.shape[1] / _SAMPLE_PIXELS))))
    return pixels[::step, ::step].reshape(-1, 3)
