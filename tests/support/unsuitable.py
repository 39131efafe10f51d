"""Images of which nothing should be made: blank, noise, and the wrong way round."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tests.support.pictures import nuclei_picture

Picture = NDArray[np.uint8] | NDArray[np.uint16]


def noise(side: int = 300) -> NDArray[np.uint8]:
    """Every grey value anywhere."""
    return np.random.default_rng(0).integers(0, 256, (side, side)).astype(np.uint8)


def camera_noise(side: int = 300) -> NDArray[np.uint8]:
    """What a camera sees without any sample."""
    return np.clip(np.random.default_rng(0).normal(10, 2, (side, side)), 0, 255).astype(np.uint8)


UNSUITABLE: Mapping[str, Callable[[], Picture]] = {
    "black": lambda: np.zeros((192, 256), np.uint8),
    "white": lambda: np.full((192, 256), 255, np.uint8),
    "black of 16 bit": lambda: np.zeros((192, 256), np.uint16),
    "noise": noise,
    "camera noise": camera_noise,
    "inverted fluorescence": lambda: 255 - nuclei_picture(),
}
