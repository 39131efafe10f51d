"""What an image looks like, in a few figures that tell kinds of microscopy apart."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.segmentation.segmenter import Image
from services.segmentation.texture import Plane, binned, flattened, smoothed

WORKING_PX = 512  # about the longer side while measuring; the lengths below are in pixels of that size
SMALLEST_SIDE_PX = 32
DETAIL_SIGMA_PX = 6.0
TEXTURE_PX = 9
LEAST_DEVIATION = 1e-4  # of the range of brightness: texture below it counts as this


@dataclass(frozen=True)
class Look:
    """Figures of an image that contrast does not change, nor brightness but for `darkness`.

    ground: where the lowest quarter of pixels ends in the range of brightness, 0 to 1; near 0 for bright objects on a
    dark ground. darkness: the same over the greatest value; near 0 where the ground is black. skew: third
    standardised moment of detail; above 0 for small bright objects, below for small dark ones.
    dark_share: the part of detail's power that lies below its surroundings, 0 to 1; near one half where bright rims go
    with dark bodies, as in phase contrast. bright_texture: correlation of local brightness and local deviation, -1 to
    1; high where only what is bright has texture. fineness: log10 of fine over coarse detail; low for photographs,
    highest for noise. patchiness: decades between the local deviation of calm and of lively places; low where texture
    is the same everywhere, as in noise.
    """

    ground: float
    darkness: float
    skew: float
    dark_share: float
    bright_texture: float
    fineness: float
    patchiness: float


def measure_look(image: Image) -> Look | None:
    """The look of `image` (H, W); None for one that is blank or has a side of less than SMALLEST_SIDE_PX.

    The same image always has the same look.
    """
    if min(image.shape) < SMALLEST_SIDE_PX:
        return None
    # Single hot or dead pixels must not set the range; noise of single pixels must not be all of the detail.
    calm = _enlarged(np.asarray(cv2.medianBlur(binned(image, WORKING_PX), 3), np.float32))
    plane = smoothed(calm, 1.0)
    low, quarter, high = (float(value) for value in np.percentile(plane, (0.1, 25, 99.9)))
    if high - low <= 1e-6 * max(high, 1.0):
        return None
    ground, darkness = (quarter - low) / (high - low), quarter / high
    plane = (plane - low) / (high - low)
    detail = flattened(plane, DETAIL_SIGMA_PX)
    power = float((detail**2).sum(dtype=np.float64))
    spread = detail / max(float(detail.std(dtype=np.float64)), LEAST_DEVIATION)
    mean, deviation = _local(plane)
    return Look(
        ground=ground,
        darkness=darkness,
        skew=float((spread**3).mean(dtype=np.float64)),
        dark_share=float((detail[detail < 0] ** 2).sum(dtype=np.float64)) / max(power, 1e-9),
        bright_texture=_correlation(mean, deviation),
        fineness=float(np.log10(max(_band(plane, 1.0), 1e-6) / max(_band(plane, 16.0), 1e-6))),
        patchiness=float(np.ptp(np.percentile(np.log10(np.maximum(deviation, LEAST_DEVIATION)), (10, 90)))),
    )


def _enlarged(plane: Plane) -> Plane:
    """A plane of less than two thirds of WORKING_PX at twice its size: half the scale has about the same look then."""
    if round(WORKING_PX / max(plane.shape)) < 2:
        return plane
    return np.asarray(cv2.resize(plane, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), np.float32)


def _local(plane: Plane) -> tuple[Plane, Plane]:
    """Mean and standard deviation around each pixel."""
    mean = np.asarray(cv2.blur(plane, (TEXTURE_PX, TEXTURE_PX)), np.float32)
    power = np.asarray(cv2.blur(plane * plane, (TEXTURE_PX, TEXTURE_PX)), np.float32)
    return mean, np.sqrt(np.maximum(power - mean * mean, 0))


def _correlation(one: Plane, other: Plane) -> float:
    centred = [plane - plane.mean(dtype=np.float64) for plane in (one, other)]
    scale = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum()) / scale if scale > 0 else 0.0


def _band(plane: Plane, sigma_px: float) -> float:
    """How strong detail of `sigma_px` is, up to twice that."""
    return float((smoothed(plane, sigma_px) - smoothed(plane, 2 * sigma_px)).std(dtype=np.float64))
