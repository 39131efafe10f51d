"""How objects are shaped, and which of a look's objects are shaped like those of a new image.

Brightness goes with shape: cells that round up, for one, are small, round and bright in phase contrast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.ellipses import ellipses_of
from services.common.imaging.runs import runs_of

# size, aspect, fill: docs/method.md, Looks
SHAPE_VALUES = 3
# What counts as one step of unlikeness: a tenth in size, 0.1 in aspect, 0.05 in fill.
_STEPS = np.array([np.log(1.1), 0.1, 0.05], np.float32)
# How many objects are compared with a look's at a time: bounds memory.
_AT_A_TIME = 1024


def shapes_of(objects: NDArray[np.int32]) -> NDArray[np.float32]:
    """Shapes of objects 1 to n. objects: (H, W), 0 = background. Returns (n, 3): size, aspect, fill.

    Size: ln of the diameter over that of the median object, by area. Aspect: minor over major axis of the ellipse
    with the same second moments. Fill: the area over that ellipse's.

    >>> shapes_of(np.array([[1, 1, 1, 1, 0, 2]], np.int32)).round(2)
    array([[ 0.24,  0.25,  0.95],
           [-0.46,  1.  ,  0.95]], dtype=float32)
    """
    count = int(objects.max(initial=0))
    ellipses = ellipses_of(runs_of(objects), count)
    area = np.maximum(ellipses.area, 1.0)
    # A pixel is a square, not its centre: 16 / 12, of the variance along its side, keeps lines from having no area.
    major, minor = np.sqrt(ellipses.major**2 + 4 / 3), np.sqrt(ellipses.minor**2 + 4 / 3)
    size = 0.5 * np.log(area / np.median(area)) if count else area
    return np.stack([size, minor / major, area / (np.pi / 4 * major * minor)], 1).astype(np.float32)


def draw_alike(
    known: NDArray[np.float32], shapes: NDArray[np.float32], generator: np.random.Generator
) -> NDArray[np.intp]:
    """For each of `shapes`, (n, 3), draw the index of one of `known`, (m, 3), that is like it. Returns (n,).

    Probabilities are proportional to exp(-d^2 / 2), d being the distance in steps.
    """
    chosen = np.empty(len(shapes), np.intp)
    for first in range(0, len(shapes), _AT_A_TIME):
        here = slice(first, first + _AT_A_TIME)
        unlike = np.square((shapes[here, None] - known) / _STEPS).sum(2) / 2
        # The largest of logarithms of probabilities, each with Gumbel noise, falls on each as often as it is probable.
        chosen[here] = (generator.gumbel(size=unlike.shape) - unlike).argmax(1)
    return chosen
