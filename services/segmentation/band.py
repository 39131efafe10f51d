"""A scratch is a band: it runs from one side of the image to the opposite one, with cells on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from services.common.imaging.labels import Mask
from services.segmentation.regions import fill_holes

LEAST_BETWEEN = 0.75  # of the rows along the band: those where it has cells on both sides
LEAST_STRIPLIKE = 0.6  # intersection over union with the straight strip that fits it best


@dataclass(frozen=True, eq=False)
class Band:
    """How a band lies in the image. Rows are those across it: of the image, or, lying, of the transposed image.

    lying: it joins the left side to the right one rather than the upper to the lower. slope: columns that it moves a
    row. rows: (H,) bool, where it has cells on both sides within the image.
    """

    lying: bool
    slope: float
    rows: NDArray[np.bool_]

    @property
    def tilt_degrees(self) -> float:
        """From the vertical, or, lying, from the horizontal; positive towards larger columns."""
        return float(np.degrees(np.arctan(self.slope)))

    def upright(self, mask: Mask) -> Mask:
        """`mask` turned so that the band stands."""
        return mask.T if self.lying else mask


def scratch_of(bare: Mask) -> Mask:
    """The largest 4-connected part of `bare` (H, W) that is a band, filled; all False where none is.

    >>> bare = np.zeros((6, 9), np.bool_)
    >>> bare[:, 3:5] = True   # a band
    >>> bare[2:5, 7:] = True  # a gap at the image's edge
    >>> scratch_of(bare).astype(int)[2]
    array([0, 0, 0, 1, 1, 0, 0, 0, 0])
    """
    labels = label(bare, connectivity=1)
    sides = [(labels[0], labels[-1]), (labels[:, 0], labels[:, -1])]
    spanning = np.unique(np.concatenate([np.intersect1d(*pair) for pair in sides]))
    parts = [fill_holes(labels == number) for number in spanning if number]
    bands = [part for part in parts if band_of(part) is not None]
    return max(bands, key=np.count_nonzero, default=np.zeros(bare.shape, np.bool_))


def band_of(mask: Mask) -> Band | None:
    """How `mask` (H, W), one part, lies as a band; None where it is none. docs/method.md, Scratches, has the rule."""
    fits = [_fit(mask, lying) for lying in (False, True)]
    likeness, band = max((fit for fit in fits if fit is not None), key=lambda fit: fit[0], default=(0.0, None))
    return band if likeness >= LEAST_STRIPLIKE else None


def fronts_of(mask: Mask) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each row of `mask` (H, W) begins and ends, (H,) each, in columns from the left; NaN for no pixel."""
    there, width = mask.any(axis=1), mask.shape[1]
    begin = np.where(there, mask.argmax(axis=1), np.nan)
    end = np.where(there, width - mask[:, ::-1].argmax(axis=1), np.nan)
    return begin, end


def _fit(mask: Mask, lying: bool) -> tuple[float, Band] | None:
    """How like a strip `mask` is, from 0 to 1, and how it lies; None without cells on both sides or opposite ends."""
    standing = mask.T if lying else mask
    if not (standing[0].any() and standing[-1].any()):
        return None
    (begin, end), (height, width) = fronts_of(standing), standing.shape
    rows = (begin > 0) & (end < width)  # False for NaN
    if rows.mean() < LEAST_BETWEEN or height < 2:
        return None
    along = np.arange(height)
    slope = float(np.polyfit(along[rows], (begin + end)[rows] / 2, 1)[0])
    first, last = (float(np.mean((front - slope * along)[rows])) for front in (begin, end))
    across = np.arange(width) + 0.5 - slope * along[:, None]
    strip = (across >= first) & (across < last)
    likeness = np.count_nonzero(standing & strip) / np.count_nonzero(standing | strip)
    return likeness, Band(lying, slope, rows)
