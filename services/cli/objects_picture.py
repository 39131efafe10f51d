"""A picture of how sure a segmenter is of each object: outlines from red to green, dashed where objects go on."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from biosynth.objects import ObjectTable
from numpy.typing import NDArray

from services.cli.overview import RGB, rgb
from services.common.imaging.intensity import brightness_range, stretch
from services.common.imaging.labels import Labels, Mask, Segmentation
from services.common.imaging.outlines import outlines

_Sample = TypeVar("_Sample", np.uint8, np.int32)
# The colours of 0, 0.5 and 1; of objects whose confidence is not told; of the legend's ground and letters.
UNSURE, BETWEEN, SURE = (230, 40, 30), (245, 205, 40), (40, 200, 70)
UNTOLD = (60, 170, 255)
_GROUND, _INK = 255, (20, 20, 20)
LEGEND_PX = 34
_LEAST_PX, _MOST_PX = 640, 2048  # of the longer side: small images are enlarged, large ones shrunk
_DASH_PX = 4


def objects_picture(image: NDArray[np.uint8], segmentation: Segmentation, objects: ObjectTable) -> RGB:
    """Draw the outlines of cells and nuclei on the image, with a legend below. image: (H, W); returns (h, w, 3)."""
    enlarged = max(1, _LEAST_PX // max(image.shape))
    grey = stretch(image, brightness_range(image)) // 4 * 3  # dimmed, so that outlines show on bright objects
    canvas = rgb(_enlarged(grey, enlarged))
    thickness = max(enlarged, round(max(canvas.shape) / 700))
    for part in ("cells", "nuclei"):
        labels: Labels | None = getattr(segmentation, part)
        if labels is not None:
            edges = outlines(_enlarged(labels, enlarged), thickness)
            _draw(canvas, edges, objects.of_part(part), _DASH_PX * thickness)
    picture = shrunk(canvas)
    return np.concatenate([picture, _legend(picture.shape[1], objects)])


def colours(confidence: NDArray[np.float32]) -> RGB:
    """One colour a value: red for 0 by way of yellow to green for 1, blue for NaN. (n,) to (n, 3).

    >>> colours(np.array([0, 1, np.nan], np.float32)).tolist()
    [[230, 40, 30], [40, 200, 70], [60, 170, 255]]
    """
    known = np.nan_to_num(confidence)
    ramp = np.array([UNSURE, BETWEEN, SURE], np.float32)
    mixed = np.stack([np.interp(known, (0.0, 0.5, 1.0), ramp[:, channel]) for channel in range(3)], axis=-1)
    return np.where(np.isnan(confidence)[:, None], UNTOLD, np.rint(mixed)).astype(np.uint8)


def _draw(canvas: RGB, edges: Labels, objects: ObjectTable, dash_px: int) -> None:
    """Outlines of one part, edges: (H, W), 0 elsewhere; the rows of the table are its labels from 1."""
    dashed = np.concatenate([[False], objects.touches_border])
    shown = (edges > 0) & (~dashed[edges] | _dashes(edges.shape, dash_px))
    canvas[shown] = colours(objects.confidence)[edges[shown] - 1]


def _dashes(shape: tuple[int, ...], dash_px: int) -> Mask:
    """A chequered mask: a line of any direction comes out of it in pieces."""
    down, right = (np.arange(side) // dash_px for side in shape)
    return np.asarray((down[:, None] + right) % 2 == 0, np.bool_)


def _legend(width: int, objects: ObjectTable) -> RGB:
    strip = np.full((LEGEND_PX, width, 3), _GROUND, np.uint8)
    told = len(objects) > 0 and not np.isnan(objects.confidence).all()
    if told:
        at = _write(strip, 6, "unsure")
        bar = colours(np.linspace(0, 1, 120, dtype=np.float32))[: max(0, width - at)]
        strip[10:24, at : at + len(bar)] = bar
        at = _write(strip, at + 128, "sure")
    else:
        at = _write(strip, 6, "no confidence told")
    line = np.full((3, 36, 3), _GROUND, np.uint8)
    line[:, _dashes((3, 36), 6)[0]] = _INK
    room = strip[16:19, at + 14 : at + 50]
    room[:] = line[:, : room.shape[1]]
    _write(strip, at + 58, "goes on beyond the image")
    return strip


def _write(strip: RGB, at: int, text: str) -> int:
    """Write into the legend, cut off at its end; returns where the text ends, with a little room."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.5
    cv2.putText(strip, text, (at, 22), font, scale, _INK, 1, cv2.LINE_AA)
    return at + int(cv2.getTextSize(text, font, scale, 1)[0][0]) + 8


def _enlarged(plane: NDArray[_Sample], times: int) -> NDArray[_Sample]:
    return np.repeat(np.repeat(plane, times, axis=0), times, axis=1)


def shrunk(canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture of a size to look at, (h, w) or (h, w, 3): sides of at most 2048 px."""
    height, width = canvas.shape[:2]
    scale = _MOST_PX / max(height, width)
    if scale >= 1:
        return canvas
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)
