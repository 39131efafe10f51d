"""A series as an animated GIF: the frames, the wound's outline on each, time and closure."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from services.cli.overview import WOUND
from services.cli.wounds.course import Row
from services.common.imaging.images import Image
from services.common.imaging.intensity import brightness_range, stretch
from services.common.imaging.labels import Mask

LONGEST_PX = 512
FRAME_MS = 400
_TITLE_PX, _THICKNESS_PX = 26, 2
# Indices of the palette: greys first, halved, then the outline, the title's ground and its letters.
_OUTLINE, _GROUND, _INK = 128, 129, 130
_PALETTE = [value for grey in range(0, 256, 2) for value in (grey, grey, grey)] + [*WOUND, 255, 255, 255, 20, 20, 20]


class Film:
    """Frames are added in time; all are shown with the first one's display range, so that changes of light are seen."""

    def __init__(self) -> None:
        self._range: tuple[float, float] | None = None
        self._first_area = 0
        self._drawn: list[NDArray[np.uint8]] = []

    def add(self, row: Row, image: Image, wound: Mask) -> None:
        """Draw one frame. image, wound: (H, W)."""
        self._range = self._range or brightness_range(image)
        self._first_area = self._first_area or (row.area_px or 0)
        scale = min(1.0, LONGEST_PX / max(image.shape))
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        grey = cv2.resize(stretch(image, self._range), size, interpolation=cv2.INTER_AREA)
        canvas = np.asarray(grey // 2, np.uint8)
        small = cv2.resize(wound.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        lines, _ = cv2.findContours(small, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, lines, -1, _OUTLINE, _THICKNESS_PX)
        self._drawn.append(np.concatenate([_title(self._words(row), size[0]), canvas]))

    def encode(self) -> bytes | None:
        """The GIF, which repeats for ever; None of no frame. The same frames give the same bytes."""
        pictures = [_picture(drawn) for drawn in self._drawn]
        if not pictures:
            return None
        file = io.BytesIO()
        pictures[0].save(
            file, "GIF", save_all=True, append_images=pictures[1:], duration=FRAME_MS, loop=0, optimize=False
        )
        return file.getvalue()

    def _words(self, row: Row) -> str:
        if not row.area_px:
            return f"{row.hours:g} h  {row.state}"
        return f"{row.hours:g} h  {100 * (1 - row.area_px / self._first_area):.1f} % closed"


def _title(words: str, width: int) -> NDArray[np.uint8]:
    strip = np.full((_TITLE_PX, width), _GROUND, np.uint8)
    cv2.putText(strip, words, (5, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_8)
    return strip


def _picture(indices: NDArray[np.uint8]) -> Pictures.Image:
    picture = Pictures.fromarray(indices, "L")
    picture.putpalette(_PALETTE)
    return picture
