"""The network's input planes: levels as one-hot, the look of the objects, the acquisition, and texture noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.generation.appearance import QUANTUM, Appearance, Look

# Gaussian sigmas (px) of the noise that the network is given: mixing scales of texture is easier than making them.
TEXTURE_SCALES_PX = (0.7, 1.5, 3.0)
# object mean, object deviation, noise, sharpness, and the texture noises, which come last
EXTRA_PLANES = 4 + len(TEXTURE_SCALES_PX)


def plane_count(levels: int) -> int:
    """Number of input planes for a schema of `levels` levels."""
    return levels + EXTRA_PLANES


def acquisition_values(appearance: Appearance) -> tuple[float, float]:
    """Noise and sharpness as the network sees them: noise relative to the contrast, on a logarithmic scale."""
    # An ordered contrast may be 0; a measured one is never below the quantum.
    contrast = max(appearance.contrast, QUANTUM)
    return float(np.log1p(10.0 * appearance.noise / contrast)), appearance.sharpness


def draw_texture(shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.float32]:
    """Draw unit-variance noise at each texture scale. Returns (scales, H, W) float32."""
    planes = []
    for sigma in TEXTURE_SCALES_PX:
        white = generator.standard_normal(shape, np.float32)
        smooth = cv2.GaussianBlur(white, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        # Deviation of white noise after a Gaussian: 1 / (2 sigma sqrt(pi)); accurate enough for the smallest sigma too.
        planes.append(smooth * np.float32(2.0 * sigma * np.sqrt(np.pi)))
    return np.stack(planes)


def build_planes(
    reference: NDArray[np.uint8], objects: NDArray[np.int32], look: Look, texture: NDArray[np.float32], levels: int
) -> NDArray[np.float32]:
    """Stack the input planes of one image.

    reference, objects: (H, W). texture: (scales, H, W) from `draw_texture`. Returns (planes, H, W) float32.

    >>> look = Look(Appearance(0.1, 0.3, 0.2, 0.0, 0.5), np.array([[1.2, 0.3]], np.float32))
    >>> reference = objects = np.array([[0, 1, 1]], np.uint8)
    >>> build_planes(reference, objects, look, np.zeros((3, 1, 3), np.float32), levels=2)[:4, 0]
    array([[1. , 0. , 0. ],
           [0. , 1. , 1. ],
           [0. , 1.2, 1.2],
           [0. , 0.3, 0.3]], dtype=float32)
    """
    height, width = reference.shape
    planes = np.zeros((plane_count(levels), height, width), np.float32)
    np.put_along_axis(planes[:levels], reference[None].astype(np.intp), 1.0, 0)
    table = np.concatenate([np.zeros((1, 2), np.float32), look.objects])
    planes[levels], planes[levels + 1] = table[objects, 0], table[objects, 1]
    planes[levels + 2], planes[levels + 3] = acquisition_values(look.appearance)
    planes[levels + 4 :] = texture
    return planes
