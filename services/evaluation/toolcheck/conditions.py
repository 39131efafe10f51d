"""Conditions that an image can be put under: noise, blur, less light. docs/method.md, Tool check, defines them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.images import Image
from services.common.imaging.labels import Labels
from services.common.imaging.noise import noise_deviation
from services.evaluation.sets.objects import background_grey, numbered

_Plane = NDArray[np.float32]
_LEAST_CONTRAST = 1 / 65535  # a grey level of 16 bit


@dataclass(frozen=True)
class Condition:
    """One way to make an image worse, by a level that rises with it; 0 leaves it as it is.

    unit: of the level. spoken: the unit after a number. what: in a sentence. defaults: levels unless others are asked
    for. most: the highest level. apply: takes an image on 0..1, (H, W), what is true in it, a level, and what draws
    its noise.
    """

    name: str
    title: str
    unit: str
    spoken: str
    what: str
    defaults: tuple[float, ...]
    most: float
    apply: Callable[[_Plane, Labels, float, np.random.Generator], _Plane]


@dataclass(frozen=True)
class Level:
    """A condition at a level; UNDEGRADED is neither."""

    condition: str
    value: float

    @property
    def folder(self) -> str:
        """What a folder of such images is called.

        >>> Level("noise", 0.05).folder, UNDEGRADED.folder
        ('noise-0.05', 'undegraded')
        """
        return f"{self.condition}-{self.value:g}" if self.value else self.condition


UNDEGRADED = Level("undegraded", 0.0)


def degrade(image: Image, true: Labels, level: Level, name: str, seed: int) -> Image:
    """An image under a condition, of its own size and depth.

    image: (H, W). true: (H, W), what it shows, with objects. name: the field's; its noise depends on it, on the level
    and on the seed, never on what else is in the set.
    """
    if level == UNDEGRADED:
        return image
    digest = hashlib.sha256(f"{level.folder}/{name}".encode()).digest()
    generator = np.random.default_rng([seed, int.from_bytes(digest[:8])])
    full = np.iinfo(image.dtype).max
    plane = CONDITIONS[level.condition].apply((image / full).astype(np.float32), true, level.value, generator)
    counts = np.rint(_fitted(plane) * full)
    return counts.astype(np.uint8) if image.dtype == np.uint8 else counts.astype(np.uint16)


def _add_noise(plane: _Plane, true: Labels, share: float, generator: np.random.Generator) -> _Plane:
    objects = numbered(true)
    contrast = float(np.abs(plane - background_grey(plane, objects))[objects > 0].mean())
    return _noisy(plane, share * max(contrast, _LEAST_CONTRAST), generator)


def _blur(plane: _Plane, true: Labels, sigma_px: float, generator: np.random.Generator) -> _Plane:
    kernel = cv2.getGaussianKernel(2 * int(np.ceil(4 * sigma_px)) + 1, sigma_px, cv2.CV_32F)
    blurred = cv2.sepFilter2D(plane, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REFLECT)
    # Optics blur the light, not the camera's noise: what the kernel took of the image's own noise is put back.
    kept = float((kernel.astype(np.float64) ** 2).sum())
    return _noisy(np.asarray(blurred, np.float32), noise_deviation(plane, true == 0) * (1 - kept**2) ** 0.5, generator)


def _dim(plane: _Plane, _true: Labels, share: float, _generator: np.random.Generator) -> _Plane:
    return np.asarray(plane * np.float32(1 - share), np.float32)


def _noisy(plane: _Plane, deviation: float, generator: np.random.Generator) -> _Plane:
    return plane + np.float32(deviation) * generator.standard_normal(plane.shape, np.float32)


def _fitted(plane: _Plane) -> _Plane:
    """Offset and gain such that nothing leaves 0..1; as it is where nothing does.

    Cut off at 0, a dark ground would lose half of its noise, and the level would not be what it is called.
    """
    low, high = min(float(plane.min()), 0.0), max(float(plane.max()), 1.0)
    return np.asarray((plane - np.float32(low)) / np.float32(high - low), np.float32)


CONDITIONS = {
    condition.name: condition
    for condition in (
        Condition(
            "noise", "Noise", "share of contrast", "of the contrast",
            "Normal noise; its standard deviation is so large a share of the objects' contrast with their ground.",
            (0.1, 0.2, 0.4, 0.8), 10.0, _add_noise,
        ),
        Condition(
            "blur", "Blur", "sigma in px", "px",
            "A Gaussian of so many pixels blurs the light; the camera's own noise stays as strong as it was.",
            (0.5, 1.0, 2.0, 4.0), 50.0, _blur,
        ),
        Condition(
            "dim", "Dimming", "share of light taken away", "of the light gone",
            "All grey values times 1 less the level, rounded to the image's depth: fixed thresholds show themselves.",
            (0.5, 0.75, 0.9), 0.99, _dim,
        ),
    )
}  # fmt: skip
