"""Texture: what grey levels lie beside each other at 1, 2 and 4 px."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.feature import graycomatrix, graycoprops

from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import Features, SetMetric
from services.evaluation.sets.wasserstein import scaled_wasserstein

LEVELS = 32
DISTANCES_PX = (1, 2, 4)
# Of a field, stretched to 0..1, so that exposure is no texture.
PERCENTILES = (0.5, 99.5)
PROPERTIES = ("contrast", "homogeneity", "correlation")
_LEAST_UNITS = (0.01,) * 3 + (0.001,) * 6  # contrast is in squared levels, the others at most 1


def texture(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """Contrast, homogeneity and correlation of the co-occurrence matrix, each at 1, 2 and 4 px.

    image: (H, W) on 0..1, no side below 5 px. Returns (9,). 32 levels, rows and columns taken together, symmetric.
    After Haralick, Shanmugam & Dinstein (IEEE Trans. SMC 3, 610, 1973).

    >>> stripes = np.tile(np.array([0, 1], np.float32), (8, 4))
    >>> texture(stripes)[:2]  # along rows levels differ by 31 at 1 px, by nothing at 2 px; along columns by nothing
    array([480.5,   0. ])
    """
    levels = np.minimum(image * LEVELS, LEVELS - 1).astype(np.uint8)
    matrix = graycomatrix(levels, DISTANCES_PX, (0.0, np.pi / 2), LEVELS, symmetric=True, normed=True)
    return np.concatenate([graycoprops(matrix, name).mean(1) for name in PROPERTIES])


def measure_texture(field: Field) -> Features:
    """Texture of the standardised field, (1, 9); no row for a field with a side below 5 px, or of one grey level."""
    low, high = np.percentile(field.image, PERCENTILES)
    if min(field.image.shape) <= max(DISTANCES_PX) or high <= low:
        return np.empty((0, len(_LEAST_UNITS)))
    return texture(np.clip((field.image - low) / (high - low), 0, 1).astype(np.float32))[None]


TEXTURE_DISTANCE = SetMetric(
    name="texture_distance",
    what="How far the grain of images is from that of real ones, in standard deviations between real fields.",
    direction="lower",
    needs_labels=False,
    needs="5 x 5 px and some contrast",
    measure=measure_texture,
    prepare=scaled_wasserstein(_LEAST_UNITS),
    least_fields=2,
)
