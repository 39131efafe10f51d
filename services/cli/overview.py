"""One picture of a run: image, segmentation, reference and generated image side by side."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels, Mask, Segmentation
from services.common.imaging.outlines import outlines

RGB = NDArray[np.uint8]
PANEL_HEIGHT_PX = 640
MOST_WIDTH_PX = 4 * PANEL_HEIGHT_PX
TITLE_PX = 34
GAP_PX = 6
WOUND = (255, 176, 0)
# Golden-ratio steps round the colour circle: consecutive labels get very different hues.
HUE_STEP = 0.61803398875


def overview(
    image: NDArray[np.uint8],
    segmentation: Segmentation,
    grey: NDArray[np.uint8] | None = None,
    generated: NDArray[np.uint8] | None = None,
) -> RGB:
    """Draw two to four panels: what there is. All inputs (H, W) of one size; returns (h, w, 3) RGB uint8."""
    panels = [
        ("image", rgb(image)),
        ("segmentation: " + ", ".join(segmentation.parts), outline(image, segmentation)),
    ]
    panels += [
        (title, rgb(plane)) for title, plane in (("reference", grey), ("generated", generated)) if plane is not None
    ]
    return side_by_side(panels)


def outline(image: NDArray[np.uint8], segmentation: Segmentation) -> RGB:
    """Draw outlines of cells and nuclei, each in a hue of its own, and a tint over the wound. image: (H, W)."""
    canvas = rgb(image)
    if segmentation.wound is not None:
        canvas = _tinted(canvas, segmentation.wound)
    for labels in (segmentation.cells, segmentation.nuclei):
        if labels is not None:
            # Thick enough to survive the panel's shrinking.
            edges = outlines(labels, round(max(1.0, labels.shape[0] / PANEL_HEIGHT_PX)))
            canvas[edges > 0] = _hues(edges[edges > 0])
    return canvas


def side_by_side(panels: Sequence[tuple[str, RGB]]) -> RGB:
    """Scale panels to one height, title them and put them in a row."""
    drawn = [_titled(title, _scaled(panel)) for title, panel in panels]
    gap = np.full((drawn[0].shape[0], GAP_PX, 3), 255, np.uint8)
    row = [piece for panel in drawn for piece in (panel, gap)][:-1]
    return np.concatenate(row, axis=1)


def rgb(grey: NDArray[np.uint8]) -> RGB:
    """Grey as colour: (H, W) to (H, W, 3)."""
    return np.repeat(grey[:, :, None], 3, axis=2)


def _tinted(canvas: RGB, wound: Mask) -> RGB:
    tint = np.array(WOUND, np.float32)
    result = canvas.copy()
    result[wound] = (0.65 * canvas[wound] + 0.35 * tint).astype(np.uint8)
    return result


def _hues(labels: Labels) -> RGB:
    """A colour for each: (N,) to (N, 3). Labels may be of any size, as of masks from elsewhere."""
    hsv = np.full((1, 180, 3), (0, 200, 255), np.uint8)
    hsv[0, :, 0] = np.arange(180)  # OpenCV's hues, in steps of two degrees
    circle = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0], np.uint8)
    return circle[(labels * HUE_STEP % 1.0 * 180).astype(np.uint8)]


def _scaled(panel: RGB) -> RGB:
    height, width = panel.shape[:2]
    # An image of a few rows would be enlarged to gigabytes: its width is limited, and white fills the height.
    scale = min(PANEL_HEIGHT_PX / height, MOST_WIDTH_PX / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    scaled = cv2.resize(panel, size, interpolation=method)
    below = ((0, PANEL_HEIGHT_PX - size[1]), (0, 0), (0, 0))
    return np.asarray(np.pad(scaled, below, constant_values=255), np.uint8)


def _titled(title: str, panel: RGB) -> RGB:
    banner = np.full((TITLE_PX, panel.shape[1], 3), 255, np.uint8)
    cv2.putText(banner, title, (4, 23), cv2.FONT_HERSHEY_SIMPLEX, 0.62, (20, 20, 20), 1, cv2.LINE_AA)
    return np.concatenate([banner, panel])
