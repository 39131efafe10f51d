"""Figures of one image's quality (docs/method.md, Image quality)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidImage
from services.common.imaging.images import Image
from services.common.imaging.labels import Segmentation
from services.common.imaging.noise import noise_deviation

# Two scales of detail, px; in focus there is much more of the finer than blur leaves.
_FINE_PX, _COARSE_PX = 1.0, 2.0
# Where cameras and files end: 8 to 16 bit.
_FULL = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))
_BLOCK_PX = 16
# A block shows structure where its deviation is above that of noise times this.
_STRUCTURE = 3.0
# The deviation that rounding to whole numbers gives; the noise of an image is not below it.
_ROUNDING = 1 / np.sqrt(12)


@dataclass(frozen=True)
class Figures:
    """focus: variance of the Laplacian at 1 px over that at 2 px; None: no detail above noise.

    contrast: range of grey values over noise. saturation: share of pixels at full scale. density: share of pixels in
    objects; without labels, of blocks that show structure. objects: how many there are; None without labels.
    """

    focus: float | None
    contrast: float
    saturation: float
    density: float
    objects: int | None


def figures(image: Image, labels: Segmentation | None = None) -> Figures:
    """Measure an image, (H, W) uint8 or uint16, with what it shows where that is known.

    Raises InvalidImage for fewer than 16 pixels a side.
    """
    if min(image.shape) < _BLOCK_PX:
        raise InvalidImage(f"expected an image of at least {_BLOCK_PX} pixels a side; got {image.shape}")
    grey = image.astype(np.float32)
    noise = max(noise_deviation(grey, np.ones(grey.shape, np.bool_)), _ROUNDING)
    low, high = np.percentile(grey, (0.5, 99.5))
    found = None if labels is None else _objects(labels)
    density = _structured(grey, noise) if found is None else float((found > 0).mean())
    return Figures(
        focus=_focus(grey, noise),
        contrast=float(high - low) / noise,
        saturation=_saturation(image),
        density=density,
        objects=None if found is None else len(np.unique(found[found > 0])),
    )


def _focus(grey: NDArray[np.float32], noise: float) -> float | None:
    """The variance of the Laplacian (Pech-Pacheco et al., ICPR 2000) after smoothing, at two scales, less noise's part.

    The ratio knows no unit, and neither brightness nor the number of objects changes it.
    """
    fine, coarse = (
        float(_laplacian(grey, scale).var()) - noise**2 * _noise_gain(scale) for scale in (_FINE_PX, _COARSE_PX)
    )
    return max(fine, 0.0) / coarse if coarse > 0 else None


def _laplacian(grey: NDArray[np.float32], scale_px: float) -> NDArray[np.float32]:
    smooth = cv2.GaussianBlur(grey, (0, 0), scale_px)
    return np.asarray(cv2.Laplacian(smooth, cv2.CV_32F), np.float32)


def _noise_gain(scale_px: float) -> float:
    """The variance that white noise of variance 1 has after `_laplacian`."""
    impulse = np.zeros((33, 33), np.float32)
    impulse[16, 16] = 1
    return float((_laplacian(impulse, scale_px) ** 2).sum())


def _saturation(image: Image) -> float:
    """The share of pixels at the greatest value, where that is one that cameras or files end at."""
    most = int(image.max())
    return float((image == most).mean()) if most in _FULL else 0.0


def _structured(grey: NDArray[np.float32], noise: float) -> float:
    rows, columns = (side // _BLOCK_PX for side in grey.shape)
    cut = grey[: rows * _BLOCK_PX, : columns * _BLOCK_PX]
    deviation = cut.reshape(rows, _BLOCK_PX, columns, _BLOCK_PX).std(axis=(1, 3))
    return float((deviation > _STRUCTURE * noise).mean())


def _objects(labels: Segmentation) -> NDArray[np.int32]:
    """Cells where they are labelled, else nuclei; of a wound alone, none."""
    found = labels.cells if labels.cells is not None else labels.nuclei
    return np.zeros(labels.shape, np.int32) if found is None else found
