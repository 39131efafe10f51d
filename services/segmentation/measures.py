"""What is measured of each object: shape and grey values, under scikit-image's names and by its definitions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.ellipses import ellipses_of
from services.common.imaging.labels import Labels
from services.common.imaging.runs import Runs, runs_of
from services.segmentation.hulls import convex_areas
from services.segmentation.perimeters import perimeters
from services.segmentation.segmenter import Image

VERSION = 1  # of the definitions; it rises when a figure changes
Figures = Mapping[str, NDArray[np.float64]]
_BAND_ROWS = 256  # of which the grey values' squares are held at a time


def measure(labels: Labels, image: Image) -> dict[str, NDArray[np.float64]]:
    """Columns of scikit-image's regionprops_table by name, each (n,), that of label 1 first.

    labels: (H, W), 1 to n without gaps, 0 = background. image: (H, W). Lengths in px, areas in px, grey values as they
    are. All objects at once from the runs of the label map, rather than one by one; docs/method.md, Measurements.

    >>> measured = measure(np.array([[1, 1], [0, 0]], np.int32), np.array([[10, 20], [0, 0]], np.uint8))
    >>> [float(measured[name][0]) for name in ("area", "centroid-1", "intensity_mean")]
    [2.0, 0.5, 15.0]
    """
    count, runs = int(labels.max(initial=0)), runs_of(labels)
    shape = _shape(runs, count)
    convex = convex_areas(runs, count)
    return {
        **shape,
        "solidity": shape["area"] / convex,
        "perimeter": perimeters(labels, count),
        **_greys(runs, image, count),
    }


def in_micrometres(figures: Figures, pixel_um: float) -> dict[str, NDArray[np.float64]]:
    """The figures that are lengths or areas, in um or um2, under names that say so. pixel_um: side of a pixel."""
    lengths = ("centroid-0", "centroid-1", "axis_major_length", "axis_minor_length", "perimeter")
    return {"area_um2": figures["area"] * pixel_um**2, **{f"{name}_um": figures[name] * pixel_um for name in lengths}}


def _shape(runs: Runs, count: int) -> dict[str, NDArray[np.float64]]:
    """Area, centroid, and axes of the ellipse that has the same second moments."""
    ellipses = ellipses_of(runs, count)
    large, small = ellipses.major**2, ellipses.minor**2
    return {
        "area": ellipses.area,
        "centroid-0": ellipses.down,
        "centroid-1": ellipses.right,
        "axis_major_length": ellipses.major,
        "axis_minor_length": ellipses.minor,
        "eccentricity": np.sqrt(1 - np.divide(small, large, out=np.ones_like(large), where=large > 0)),
    }


def _greys(runs: Runs, image: Image, count: int) -> dict[str, NDArray[np.float64]]:
    """Mean, extremes and standard deviation of each object's grey values."""
    sums, least, most, squares = np.zeros((4, len(runs.label)))
    for top in range(0, len(image), _BAND_ROWS):
        here = slice(*np.searchsorted(runs.row, (top, top + _BAND_ROWS)))
        band = np.append(image[top : top + _BAND_ROWS].ravel(), image.dtype.type(0))  # a run may end with the band
        width = image.shape[1]
        first = (runs.row[here] - top) * width
        ends = np.stack([first + runs.start[here], first + runs.stop[here]], 1).ravel()
        if ends.size:
            sums[here] = np.add.reduceat(band, ends, dtype=np.int64)[::2]
            least[here], most[here] = np.minimum.reduceat(band, ends)[::2], np.maximum.reduceat(band, ends)[::2]
            squares[here] = np.add.reduceat(np.square(band, dtype=np.int64), ends)[::2]
    area = np.bincount(runs.label, runs.stop - runs.start, minlength=count + 1)[1:]
    mean, square = (np.bincount(runs.label, values, minlength=count + 1)[1:] / area for values in (sums, squares))
    lowest, highest = np.full(count + 1, np.inf), np.full(count + 1, -np.inf)
    np.minimum.at(lowest, runs.label, least)
    np.maximum.at(highest, runs.label, most)
    return {
        "intensity_mean": mean,
        "intensity_min": lowest[1:],
        "intensity_max": highest[1:],
        "intensity_std": np.sqrt(np.maximum(square - mean**2, 0)),
    }
