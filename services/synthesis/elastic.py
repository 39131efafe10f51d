"""Elastic deformation: a smooth random displacement of all pixels (docs/method.md, Augmented masks)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_SPACING_PX = (40.0, 120.0)
# Displacements end at two deviations, so neighbouring control points differ by less than a third of their spacing, and
# they fade slowly towards the edges: the map folds nowhere, and no object is torn.
_DEVIATION = (0.03, 0.07)  # of the spacing
_MOST_DEVIATIONS = 2.0
_FADE = 5.0  # over this many times the greatest displacement


@dataclass(frozen=True)
class Elastic:
    """Control points so far apart, displaced by a normal deviation, bicubic between them; the frame stays in place."""

    spacing_px: float
    deviation_px: float
    seed: int


def draw_elastic(generator: np.random.Generator) -> Elastic:
    """Draw a deformation that keeps objects whole and recognisable."""
    spacing = float(generator.uniform(*_SPACING_PX))
    deviation = spacing * float(generator.uniform(*_DEVIATION))
    return Elastic(round(spacing, 2), round(deviation, 2), int(generator.integers(2**32)))


def source_pixels(shape: tuple[int, int], elastic: Elastic) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column, (H, W) each and inside the image, of the pixel that every pixel takes its value from."""
    generator = np.random.default_rng(elastic.seed)
    rows, columns = np.indices(shape)
    moved = []
    for axis, own in enumerate((rows, columns)):
        shift = _displacement(shape, elastic, generator)
        # Less and less towards the image's edges, so that nothing is taken from beyond them.
        distance = np.minimum(own, shape[axis] - 1 - own)
        most = _MOST_DEVIATIONS * elastic.deviation_px
        shift *= np.minimum(1.0, distance / (_FADE * most))
        moved.append(np.clip(np.rint(own + shift), 0, shape[axis] - 1).astype(np.intp))
    return moved[0], moved[1]


def _displacement(shape: tuple[int, int], elastic: Elastic, generator: np.random.Generator) -> NDArray[Any]:
    points = [max(2, round(side / elastic.spacing_px) + 1) for side in shape]
    drawn = generator.normal(0.0, elastic.deviation_px, points)
    most = _MOST_DEVIATIONS * elastic.deviation_px
    control = np.clip(drawn, -most, most).astype(np.float32)
    smooth = cv2.resize(control, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.clip(np.asarray(smooth, np.float64), -most, most)  # bicubic overshoots
