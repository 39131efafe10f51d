"""Faint uneven light between objects: bodies of cells that a nuclear stain hardly shows, or clouds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from services.generation.conditions import smooth_noise

# How wide (Gaussian sigma, px) clouds are, and their shares of the variance.
_CLOUDS = ((5.0, 0.3), (12.0, 0.3), (40.0, 0.4))
# How wide and how long threads are (Gaussian sigmas, px), and its share of the variance.
_THREADS = ((2.0, 10.0, 0.25), (5.0, 25.0, 0.3), (16.0, 24.0, 0.25), (40.0, 40.0, 0.2))
# Threads bend by so much (px) over such a distance (Gaussian sigma, px).
_BEND_PX, _BEND_SCALE_PX = 30.0, 60.0
_POINTS = 1.5  # of the grid on which they are drawn, in the smaller sigma: so that between points little is lost
_BAND_ROWS = 256  # computed at once, so that places take no memory of the image's size


def draw_clouds(shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.float32]:
    """Draw a normal field of mean 0 and deviation 1, alike in all directions. Returns (H, W)."""
    light = np.zeros(shape, np.float32)
    for sigma_px, share in _CLOUDS:
        light += np.float32(math.sqrt(share)) * smooth_noise(shape, sigma_px, generator)
    return light


def draw_threads(shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.float32]:
    """Draw a field of mean 0 and deviation 1: bent threads and patches, most dim, few bright. Returns (H, W)."""
    light = np.zeros(shape, np.float32)
    for across, along, share in _THREADS:
        # The exponential makes few of them bright, as measured in real grounds (skewness about 2).
        threads = np.exp(_bent(shape, across, along, generator))
        light += np.float32(math.sqrt(share / (math.e * (math.e - 1)))) * (threads - np.float32(math.sqrt(math.e)))
    return light


def _bent(
    shape: tuple[int, int], across_px: float, along_px: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Unit-variance noise that is longer in one direction, drawn by chance, which bends over the image."""
    pitch_px = across_px / _POINTS
    side = math.ceil((math.hypot(*shape) + 8 * _BEND_PX) / pitch_px)
    white = generator.standard_normal((side, side), np.float32)
    straight = np.asarray(cv2.GaussianBlur(white, (0, 0), sigmaX=along_px / pitch_px, sigmaY=_POINTS), np.float32)
    straight /= np.float32(straight.std())
    turn = generator.uniform(0, math.pi)
    step = np.float32(math.cos(turn) / pitch_px), np.float32(math.sin(turn) / pitch_px)
    bends = [np.float32(_BEND_PX) * smooth_noise(shape, _BEND_SCALE_PX, generator) for _ in range(2)]
    columns = np.arange(shape[1], dtype=np.float32) - np.float32(shape[1] / 2)
    bent = np.empty(shape, np.float32)
    for top in range(0, shape[0], _BAND_ROWS):
        band = slice(top, min(top + _BAND_ROWS, shape[0]))
        rows = np.arange(band.start, band.stop, dtype=np.float32)[:, None] - np.float32(shape[0] / 2)
        x, y = columns + bends[0][band], rows + bends[1][band]
        middle = np.float32(side / 2)
        at = step[0] * x - step[1] * y + middle, step[1] * x + step[0] * y + middle
        bent[band] = cv2.remap(straight, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return bent


DrawLight: TypeAlias = Callable[[tuple[int, int], np.random.Generator], NDArray[np.float32]]
# What draws it, by the name that model files give it.
LIGHTS: dict[str, DrawLight] = {"threads": draw_threads, "clouds": draw_clouds}
# Those of fluorescence, where objects add light to the ground and take none away.
OF_FLUORESCENCE = ("threads",)
