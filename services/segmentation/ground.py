"""Bare ground of an image by texture: where the Gaussian mean of local deviation is low."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from skimage.filters import threshold_otsu

from services.common.abandonment import stop_if_abandoned
from services.common.imaging.labels import Mask
from services.segmentation.regions import distance_inside, without_small
from services.segmentation.segmenter import Image
from services.segmentation.texture import Plane, binned, log_local_deviation, smoothed

WORKING_PX = 1000  # the longer side while working; the lengths below are in pixels of that size
TEXTURE_RADIUS_PX = 3
DENSITY_SIGMA_PX = 18
NARROWEST_COVER_PX = 20
SMALLEST_FRACTION = 0.01
# Two classes that are told apart explain this much of the variance; a single normal one cut in two explains 0.64.
LEAST_EXPLAINED = 0.72
LEAST_SEPARATION = 0.1  # decades of grey levels between bare ground and cells


@dataclass(frozen=True)
class Cut:
    """How bare ground is told from cells, in decades of grey levels.

    cap: texture above it counts as this, so that edges of bright nuclei and debris weigh no more than a sheet of cells
    does: they would shift the front. limit: ground is bare where the mean of texture lies below.
    """

    cap: float
    limit: float

    def bare(self, texture: Plane) -> Mask:
        """Where `texture` (H, W) is that of bare ground; not yet tidy."""
        return np.asarray(_mean(np.minimum(texture, np.float32(self.cap))) < self.limit, np.bool_)


def texture_of(image: Image) -> Plane:
    """Texture of `image` (H, W) at working size, in decades of grey levels."""
    return log_local_deviation(binned(image, WORKING_PX), TEXTURE_RADIUS_PX)


def cut_of(texture: Plane) -> Cut | None:
    """The middle between the two classes of mean texture (H, W); None where it has no two: all is of one kind."""
    first = _classes(_mean(texture))
    if first is None:
        return None
    stop_if_abandoned()
    second = _classes(_mean(np.minimum(texture, np.float32(first[1]))))
    return None if second is None else Cut(cap=first[1], limit=sum(second) / 2)


def tidied(bare: Mask, smallest_fraction: float = SMALLEST_FRACTION) -> Mask:
    """`bare` (H, W) without parts below a share of the image, and with what is covered but small or narrow.

    smallest_fraction: of bare parts; covered ones always have SMALLEST_FRACTION.
    """
    covered = ~without_small(bare, smallest_fraction * bare.size)
    return ~without_small(_without_narrow(covered), SMALLEST_FRACTION * bare.size)


def _mean(texture: Plane) -> Plane:
    return smoothed(texture, DENSITY_SIGMA_PX)


def _classes(mean: Plane) -> tuple[float, float] | None:
    """Means of the two classes of `mean` by Otsu's threshold, None where they are not told apart."""
    if float(np.ptp(mean)) < LEAST_SEPARATION:
        return None
    # The histogram's bins can be finer than float32's steps at 65,535.
    above = mean > threshold_otsu(mean.astype(np.float64))
    low, high = (float(mean[part].mean(dtype=np.float64)) for part in (~above, above))
    share = float(above.mean())
    explained = share * (1 - share) * (high - low) ** 2 / float(mean.var(dtype=np.float64))
    return (low, high) if explained >= LEAST_EXPLAINED and high - low >= LEAST_SEPARATION else None


def _without_narrow(mask: Mask) -> Mask:
    """`mask` (H, W) where a disk of NARROWEST_COVER_PX fits: single cells and debris no longer join the two fronts.

    The image's edge cuts nothing off: what lies there is taken to go on outside.
    """
    core = distance_inside(mask) > NARROWEST_COVER_PX
    return (distance_inside(~core) <= NARROWEST_COVER_PX) & mask
