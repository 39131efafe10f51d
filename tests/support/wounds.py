"""Frames of scratch assays made in the tests: a textured sheet with a bare band of known width."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.images import encode_png
from services.common.imaging.labels import Mask

Frame = NDArray[np.uint8]
SHAPE = (300, 500)


def band(width: float, tilt_degrees: float = 0.0, shape: tuple[int, int] = SHAPE, roughness: float = 0.0) -> Mask:
    """A band of `width` px, measured across it, through the middle; roughness: amplitude of waves on its fronts."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    tilt = np.radians(tilt_degrees)
    across = (columns + 0.5 - shape[1] / 2) * np.cos(tilt) - (rows + 0.5 - shape[0] / 2) * np.sin(tilt)
    return np.asarray(np.abs(across) < width / 2 + roughness * np.sin(2 * np.pi * rows / 60), np.bool_)


def frame(bare: Mask, seed: int = 0, gain: float = 1.0) -> Frame:
    """A sheet of cells with bare ground where `bare` (H, W); gain: of the light."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 180, bare.shape).astype(np.float32), (0, 0), 3.0)
    light = np.where(bare, 110.0, 110.0 + grain) * gain + rng.normal(0, 1.5, bare.shape)
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def closing(widths: Sequence[float], **how: float) -> list[Frame]:
    """A frame for each width; 0 is closed."""
    return [frame(band(width, **how), seed=seed) for seed, width in enumerate(widths)]  # type: ignore[arg-type]


def sparse(seed: int = 0, shape: tuple[int, int] = (512, 512)) -> Frame:
    """Colonies on bare ground, which goes around them from side to side and is no scratch."""
    rng = np.random.default_rng(seed)
    cells = np.zeros(shape, np.uint8)
    for _ in range(7):
        centre = (int(rng.integers(60, shape[1] - 60)), int(rng.integers(60, shape[0] - 60)))
        cv2.ellipse(cells, centre, (int(rng.integers(50, 100)), 45), float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return frame(cells == 0, seed)


def write_series(folder: Path, frames: Sequence[Frame], names: str = "t{}.png") -> Path:
    """Write frames under numbered names."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(frames):
        (folder / names.format(number)).write_bytes(encode_png(one))
    return folder
