"""The ellipse that has an object's second moments: the usual measure of its place, size and elongation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.runs import Runs


@dataclass(frozen=True)
class Ellipses:
    """Of labels 1 to n, all (n,) float64, in px: a label without a pixel has zeros.

    area: in pixels. down, right: the centroid. major, minor: lengths of the axes, 4 times the square roots of the
    eigenvalues of the covariance of the pixels' centres, as scikit-image has them; 0 for one pixel.
    """

    area: NDArray[np.float64]
    down: NDArray[np.float64]
    right: NDArray[np.float64]
    major: NDArray[np.float64]
    minor: NDArray[np.float64]


def ellipses_of(runs: Runs, count: int) -> Ellipses:
    """The ellipses of labels 1 to `count`; sums over runs in closed form."""
    length, y = runs.stop - runs.start, runs.row
    total = np.bincount(runs.label, length, minlength=count + 1)

    def mean(of_runs: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(runs.label, of_runs, minlength=count + 1) / np.maximum(total, 1)

    middle = (runs.start + runs.stop - 1) / 2
    down, right = mean(length * y), mean(length * middle)
    # About the centroid, or large coordinates would cancel. (length^2 - 1) / 12: the variance within a run.
    dy, dx = y - down[runs.label], middle - right[runs.label]
    yy, xy = mean(length * dy**2), mean(length * dy * dx)
    xx = mean(length * (dx**2 + (length**2 - 1) / 12))
    centre, half = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
    large, small = centre + half, np.maximum(centre - half, 0)
    axes = 4 * np.sqrt(large), 4 * np.sqrt(small)
    return Ellipses(total[1:].astype(np.float64), down[1:], right[1:], axes[0][1:], axes[1][1:])
