"""A synthetic scratch assay in two channels: stained nuclei beside a phase contrast of the same cells."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from services.common.imaging.labels import Labels

PITCH_PX = 44


def two_channels(
    height: int = 352, width: int = 528, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Labels]:
    """Nuclei (fluorescence), cells (phase contrast) beside a vertical gap, and the true cells; (height, width) each."""
    generator = np.random.default_rng(seed)
    stain, phase = np.full((height, width), 10.0, np.float32), np.full((height, width), 120.0, np.float32)
    cells, number = np.zeros((height, width), np.int32), 0
    for top in range(0, height, PITCH_PX):
        for left in range(0, width, PITCH_PX):
            if 0.38 * width < left + PITCH_PX / 2 < 0.62 * width:
                continue
            number += 1
            x, y = left + PITCH_PX // 2 + int(generator.integers(-3, 4)), top + PITCH_PX // 2
            cv2.circle(cells, (x, y), 15, number, -1)
            cv2.circle(phase, (x, y), 18, 190.0, -1)
            cv2.circle(phase, (x, y), 15, 90.0 * (number % 16) / 15, -1)
            cv2.circle(stain, (x, y), 7, float(generator.uniform(110, 200)), -1)
    grain = cv2.GaussianBlur(generator.normal(0, 45, cells.shape).astype(np.float32), (0, 0), 1.0)
    phase += np.where(cells > 0, 2 * grain, 0)
    phase[:4, :4] = 255  # a speck of dust: cells are not the brightest, so their grey tiers reach down to dark ones
    noise = generator.normal(0, 1.5, (2, height, width))
    seen = [cv2.GaussianBlur(plane, (0, 0), 0.9) + noise[index] for index, plane in enumerate((stain, phase))]
    nuclei, shown = (np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in seen)
    return nuclei, shown, cells


def ome_tiff(
    *planes: NDArray[np.uint8] | NDArray[np.uint16], pixel_um: float | None = None, names: Sequence[str] = ()
) -> bytes:
    """An OME-TIFF of the planes as channels."""
    file = io.BytesIO()
    told: dict[str, Any] = {} if pixel_um is None else {"PhysicalSizeX": pixel_um, "PhysicalSizeY": pixel_um}
    if names:
        told["Channel"] = {"Name": list(names)}
    tifffile.imwrite(file, np.stack(planes), ome=True, photometric="minisblack", metadata={"axes": "CYX", **told})
    return file.getvalue()
