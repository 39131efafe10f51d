"""Pictures of how a training goes: the same held-out fields each time, one a row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.images import encode_png
from services.common.imaging.labels import Labels
from services.common.imaging.outlines import outlines

T = TypeVar("T")
SIDE_PX = 384  # most of a field that is shown
_GAP_PX, _TITLE_PX, _WHITE = 4, 22, 255


def spread(things: Sequence[T], count: int) -> list[T]:
    """At most so many, evenly spread.

    >>> spread(range(10), 3)
    [0, 4, 9]
    """
    places = np.linspace(0, len(things) - 1, min(count, len(things))).astype(int)
    return [things[place] for place in places]


def window_on(shown: NDArray[Any]) -> tuple[slice, slice]:
    """A window of at most SIDE_PX a side about the middle of what is shown, (H, W), not 0; or of the field."""
    rows, columns = np.nonzero(shown)
    middles = [
        int(places.mean()) if places.size else side // 2
        for places, side in zip((rows, columns), shown.shape, strict=True)
    ]
    starts = [
        min(max(0, middle - SIDE_PX // 2), max(0, side - SIDE_PX))
        for middle, side in zip(middles, shown.shape, strict=True)
    ]
    return slice(starts[0], starts[0] + SIDE_PX), slice(starts[1], starts[1] + SIDE_PX)


def outlined(image: NDArray[np.uint8], labels: Labels, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Outlines of labels in a colour on an image; both (H, W), returns (H, W, 3)."""
    canvas = np.repeat(image[:, :, None], 3, axis=2)
    canvas[outlines(labels) > 0] = colour
    return canvas


def write_samples(folder: Path, step: int, titles: Sequence[str], rows: Sequence[Sequence[NDArray[np.uint8]]]) -> None:
    """Write samples/step-N.png. rows: panels of one field each, (H, W) or (H, W, 3), as many as titles."""
    panels = [[panel if panel.ndim == 3 else np.repeat(panel[:, :, None], 3, axis=2) for panel in row] for row in rows]
    width = max(panel.shape[1] for row in panels for panel in row)
    drawn = [np.concatenate([_framed(panel, width) for panel in row], axis=1) for row in panels]
    banner = np.full((_TITLE_PX, drawn[0].shape[1], 3), _WHITE, np.uint8)
    for number, title in enumerate(titles):
        at = (number * (width + _GAP_PX) + 2, _TITLE_PX - 7)
        cv2.putText(banner, title, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (20, 20, 20), 1, cv2.LINE_AA)
    place = folder / "samples" / f"step-{step:06}.png"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(encode_png(np.concatenate([banner, *drawn])))


def _framed(panel: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    room = ((0, _GAP_PX), (0, width + _GAP_PX - panel.shape[1]), (0, 0))
    return np.asarray(np.pad(panel, room, constant_values=_WHITE), np.uint8)
