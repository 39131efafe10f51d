"""From the network's clean image to counts: an uneven ground, the grain of objects, noise, rounding."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from services.generation.appearance import Appearance
from services.generation.grain import grain_variance, ground_variance
from services.generation.ground import ground_of, unevenness
from services.generation.light import DrawLight, draw_threads

# Light between objects is faint: at most this share of the contrast. A ground as bright as objects has structure of its
# own, as a tissue section, which threads would not imitate.
_FAINT = 0.1


def expose(
    clean: NDArray[np.float32],
    objects: NDArray[np.int32],
    look: Appearance,
    generator: np.random.Generator,
    draw_light: DrawLight = draw_threads,
) -> NDArray[np.uint8]:
    """Turn the normalised image into camera counts.

    clean: (H, W), in units of the contrast above the background. objects: (H, W), 0 = background. Of noise, grain and
    unevenness, what the network has made itself is not added again. draw_light: of an uneven ground. Returns (H, W).

    >>> look = Appearance(background=0.2, contrast=0.4, spread=0.0, noise=0.0, sharpness=0.0)
    >>> expose(np.array([[0.0, 1.0, 3.0]], np.float32), np.array([[0, 1, 1]]), look, np.random.default_rng(0))
    array([[ 51, 153, 255]], dtype=uint8)
    """
    noise = generator.standard_normal(clean.shape, np.float32)
    image, level = look.background + look.contrast * clean, np.abs(clean)
    lacking = max(0.0, look.grain**2 - grain_variance(image, level, objects))
    # Grain belongs to objects: between them, halos and glow are as bright as they like, and smooth.
    level[objects == 0] = 0.0
    noise *= np.sqrt(max(0.0, look.noise**2 - ground_variance(image, objects == 0)) + lacking * level)
    counts = image + noise
    if look.unevenness > 0:
        counts += _unevenly(image, objects, look, generator, draw_light)
    counts *= 255.0
    result: NDArray[np.uint8] = np.clip(np.rint(counts, out=counts), 0, 255).astype(np.uint8)
    return result


def _unevenly(
    image: NDArray[np.float32],
    objects: NDArray[np.int32],
    look: Appearance,
    generator: np.random.Generator,
    draw_light: DrawLight,
) -> NDArray[np.float32] | float:
    """The light that is to be added to the ground; its median there is 0, so that the background's brightness stays."""
    ground = ground_of(objects)
    lacking = look.unevenness**2 - unevenness(image, ground) ** 2
    if lacking <= 0 or not ground.any():
        return 0.0
    light = draw_light(image.shape, generator)
    light -= np.median(light[ground])
    return np.float32(min(math.sqrt(lacking), _FAINT * look.contrast)) * light
