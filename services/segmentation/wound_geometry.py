"""How large a wound is: its area, its width along the band, and where and how rough its two fronts are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Mask
from services.segmentation.band import Band, fronts_of


@dataclass(frozen=True)
class Front:
    """Mean position across the band and rms deviation from the front's fitted line, both in px."""

    position_px: float
    roughness_px: float


@dataclass(frozen=True)
class Extent:
    """Of a wound. left and right: the fronts; upper and lower of a lying band; None where it is closed all along."""

    area_px: int
    mean_width_px: float
    min_width_px: float
    left: Front | None
    right: Front | None


def measure_extent(wound: Mask, band: Band) -> Extent:
    """Measure a wound (H, W) along the band of its first frame; docs/method.md, Wound in a series, has the formulas.

    Widths are across the band, by the cosine of its tilt, as in Suarez-Arnedo et al., PLoS One 15, e0232565 (2020).

    >>> wound = np.zeros((4, 9), np.bool_)
    >>> wound[:, 3:7] = True
    >>> extent = measure_extent(wound, Band(lying=False, slope=0.0, rows=np.ones(4, np.bool_)))
    >>> extent.area_px, extent.mean_width_px, extent.left.position_px, extent.right.position_px
    (16, 4.0, 3.0, 7.0)
    """
    standing, across = band.upright(wound), float(np.cos(np.arctan(band.slope)))
    widths = across * np.count_nonzero(standing, axis=1)[band.rows]
    # From the line through the middle row that the band runs along, so that the tilt is no roughness of the position.
    along = (np.arange(len(standing)) - (len(standing) - 1) / 2)[band.rows]
    left, right = (_front(across * (front[band.rows] - band.slope * along), along) for front in fronts_of(standing))
    return Extent(int(np.count_nonzero(wound)), float(widths.mean()), float(widths.min()), left, right)


def _front(position: NDArray[np.floating], along: NDArray[np.floating]) -> Front | None:
    """position: (n,) across the band, NaN where it is closed; along: (n,) rows."""
    there = ~np.isnan(position)
    if not there.any():
        return None
    straight = (
        np.polyfit(along[there], position[there], 1) if np.count_nonzero(there) > 2 else [0.0, position[there][0]]
    )
    rest = position[there] - np.polyval(straight, along[there])
    return Front(float(position[there].mean()), float(np.sqrt(np.mean(rest**2))))
