"""Grey tiers: cells sorted by how bright their cytoplasm is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Labels


def cell_means(cells: Labels, nuclei: Labels, grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Each cell's mean grey "over its cytoplasm without nuclei" (docs/method.md, Grey tiers), its boundary included.

    All (H, W); grey is the autocontrasted image. Returns (largest label + 1,), NaN for the background, for numbers
    that no cell has, and for cells that lie wholly under nuclei.

    >>> cells, nuclei = np.array([[1, 1, 2, 2, 4]]), np.array([[0, 5, 5, 0, 6]])
    >>> cell_means(cells, nuclei, np.array([[10, 200, 200, 30, 9]], np.uint8))
    array([nan, 10., 30., nan, nan])
    """
    visible = (cells > 0) & (nuclei == 0)
    owners = cells[visible]
    size = int(cells.max(initial=0)) + 1
    pixels = np.bincount(owners, minlength=size)
    sums = np.bincount(owners, weights=grey[visible], minlength=size)
    means = np.full(size, np.nan)
    np.divide(sums, pixels, out=means, where=pixels > 0)
    return means


def measure_limits(means: NDArray[np.float64], tiers: int, tier_range: tuple[float, ...] = ()) -> tuple[float, ...]:
    """The tiers - 1 limits that share this image's cells out evenly to tiers; () where there are no cells.

    Without a range (levels7), "the sorted means are cut at indexes n/3 and 2n/3", or k n / tiers for other numbers of
    tiers. With one (levels9): "outer limits 55 and 95, and the tertiles of the means in [55, 95) between them"
    (docs/method.md, Grey tiers). Raises InvalidArgument where there are cells, but none in the range.

    >>> means = np.array([10.0, 20.0, 54.0, 55.0, 60.0, 70.0, 80.0, 94.0, 95.0])
    >>> measure_limits(means, 3), measure_limits(means, 5, (55.0, 95.0))
    ((55.0, 80.0), (55.0, 60.0, 80.0, 95.0))
    """
    finite = np.sort(means[np.isfinite(means)])
    if not finite.size:
        return ()
    if not tier_range:
        return _cuts(finite, tiers)
    low, high = tier_range
    inner = finite[(finite >= low) & (finite < high)]
    if not inner.size:
        raise InvalidArgument(
            f"expected cells with a mean grey in [{low:g}, {high:g}) to measure tier limits on; "
            f"got {finite.size} cells from {finite[0]:.1f} to {finite[-1]:.1f}: "
            "give tier limits, or choose a schema without a tier range",
            field="tier_limits",
        )
    return (low, *_cuts(inner, tiers - 2), high)


def assign_tiers(means: NDArray[np.float64], limits: tuple[float, ...]) -> NDArray[np.uint8]:
    """Tier of each mean: how many limits it reaches, so that tier k is [limit k - 1, limit k).

    Returns one tier per mean, of the same shape; NaN goes to tier 0 (such cells have no cytoplasm to be seen).

    >>> assign_tiers(np.array([9.9, 10.0, 25.0, np.nan]), (10.0, 20.0))
    array([0, 1, 2, 0], dtype=uint8)
    """
    return np.searchsorted(np.asarray(limits, np.float64), np.nan_to_num(means, nan=-1.0), side="right").astype(
        np.uint8
    )


def _cuts(rising: NDArray[np.float64], groups: int) -> tuple[float, ...]:
    return tuple(float(rising[k * rising.size // groups]) for k in range(1, groups))
