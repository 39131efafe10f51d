"""The network's input planes: levels as one-hot, the look of the objects, glow, the acquisition, and texture noise."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from services.generation.appearance import Appearance, Look
from services.generation.grain import QUANTUM

# Gaussian sigmas (px) of the noise that the network is given: mixing scales of texture is easier than making them.
# The widest are those of uneven grounds, beyond what the network sees at once.
TEXTURE_SCALES_PX = (0.7, 1.5, 3.0, 8.0, 24.0)
# Gaussian sigmas (px) of the objects' light out of focus, which reaches farther than the network sees.
GLOW_SCALES_PX = (6.0, 24.0)
# Wider Gaussians are computed on a grid of a third of their sigma.
_FINE_SIGMA_PX = 3.0
# object mean, object deviation, glow, noise, sharpness, and the texture noises, which come last
EXTRA_PLANES = 4 + len(GLOW_SCALES_PX) + len(TEXTURE_SCALES_PX)


def plane_count(levels: int) -> int:
    """Number of input planes for a schema of `levels` levels."""
    return levels + EXTRA_PLANES


def plane_meanings(levels: Sequence[str]) -> dict[str, str]:
    """What each plane of `build_planes` holds, by a name for it, in their order. levels: their names, by index.

    >>> list(plane_meanings(["background", "nucleus"]))[:4]
    ['background', 'nucleus', 'object_mean', 'object_deviation']
    """
    return {
        **{level: f"1 where the reference has level {index}, {level}; else 0" for index, level in enumerate(levels)},
        "object_mean": "mean brightness of the object there, in units of the contrast above the background; else 0",
        "object_deviation": "deviation of brightness inside that object, in units of the contrast; else 0",
        **{
            f"glow_{sigma:g}px": f"object_mean of the whole image after a Gaussian of {sigma:g} px"
            for sigma in GLOW_SCALES_PX
        },
        "noise": "log(1 + 10 n / c) everywhere: n the camera noise's deviation, c the contrast",
        "sharpness": "the appearance value of that name, everywhere",
        **{
            f"texture_{sigma:g}px": f"normal noise after a Gaussian of {sigma:g} px, scaled to deviation 1"
            for sigma in TEXTURE_SCALES_PX
        },
    }


def acquisition_values(appearance: Appearance) -> tuple[float, float]:
    """Noise and sharpness as the network sees them: noise relative to the contrast, on a logarithmic scale."""
    # An ordered contrast may be 0; a measured one is never below the quantum.
    contrast = max(appearance.contrast, QUANTUM)
    return float(np.log1p(10.0 * appearance.noise / contrast)), appearance.sharpness


def draw_texture(shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.float32]:
    """Draw unit-variance noise at each texture scale. Returns (scales, H, W) float32."""
    return np.stack([smooth_noise(shape, sigma, generator) for sigma in TEXTURE_SCALES_PX])


def smooth_noise(shape: tuple[int, int], sigma: float, generator: np.random.Generator) -> NDArray[np.float32]:
    """Draw unit-variance noise smoothed by a Gaussian. sigma: px. Returns (H, W)."""
    step = _step(sigma)
    coarse = tuple(-(-length // step) for length in shape)
    white = generator.standard_normal(coarse, np.float32)
    smooth = cv2.GaussianBlur(white, (0, 0), sigma / step, borderType=cv2.BORDER_REFLECT)
    # Deviation of white noise after a Gaussian: 1 / (2 sigma sqrt(pi)); accurate enough for the smallest sigma too.
    smooth = smooth * np.float32(2.0 * sigma / step * np.sqrt(np.pi))
    full = cv2.resize(smooth, None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR) if step > 1 else smooth
    return np.asarray(full[: shape[0], : shape[1]], np.float32)


def glow_of(objects: NDArray[np.int32], look: Look) -> NDArray[np.float32]:
    """The objects' mean brightness, blurred at each glow scale, for a whole image.

    objects: (H, W), 0 = background. Returns (scales, H, W) float32.
    """
    bright = _table(look)[objects, 0]
    planes = []
    for sigma in GLOW_SCALES_PX:
        step = _step(sigma)
        size = tuple(max(1, round(length / step)) for length in reversed(bright.shape))
        coarse = cv2.resize(bright, size, interpolation=cv2.INTER_AREA) if step > 1 else bright
        planes.append(_enlarged(cv2.GaussianBlur(coarse, (0, 0), sigma / step), bright.shape))
    return np.stack(planes)


def build_planes(
    reference: NDArray[np.uint8],
    objects: NDArray[np.int32],
    look: Look,
    glow: NDArray[np.float32],
    texture: NDArray[np.float32],
    levels: int,
) -> NDArray[np.float32]:
    """Stack the input planes of an image, or of a window of one.

    reference, objects: (H, W). glow, texture: (scales, H, W) from `glow_of` and `draw_texture`, of the same window.
    Returns (planes, H, W) float32.

    >>> look = Look(Appearance(0.1, 0.3, 0.2, 0.0, 0.5), np.array([[1.2, 0.3]], np.float32))
    >>> reference = objects = np.array([[0, 1, 1]], np.uint8)
    >>> build_planes(reference, objects, look, np.zeros((2, 1, 3)), np.zeros((5, 1, 3)), levels=2)[:4, 0]
    array([[1. , 0. , 0. ],
           [0. , 1. , 1. ],
           [0. , 1.2, 1.2],
           [0. , 0.3, 0.3]], dtype=float32)
    """
    height, width = reference.shape
    planes = np.empty((plane_count(levels), height, width), np.float32)
    for level in range(levels):
        planes[level] = reference == level
    table = _table(look)
    planes[levels], planes[levels + 1] = table[objects, 0], table[objects, 1]
    values = levels + 2 + len(glow)
    planes[levels + 2 : values] = glow
    planes[values], planes[values + 1] = acquisition_values(look.appearance)
    planes[values + 2 :] = texture
    return planes


def _table(look: Look) -> NDArray[np.float32]:
    """Mean and deviation by label, zeros for the background."""
    return np.concatenate([np.zeros((1, 2), np.float32), look.objects])


def _enlarged(plane: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    if plane.shape == shape:
        return plane
    return np.asarray(cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _step(sigma: float) -> int:
    """Pixels between the points of the grid on which a Gaussian is computed."""
    return max(1, int(sigma / _FINE_SIGMA_PX))
