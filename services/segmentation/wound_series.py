"""The wound in a later frame of a time series: what is still open of the first frame's, told from cells as there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from skimage.measure import label

from services.common.abandonment import stop_if_abandoned
from services.common.errors import InvalidArgument, InvalidImage
from services.common.imaging.labels import Mask
from services.segmentation.band import scratch_of
from services.segmentation.ground import DENSITY_SIGMA_PX, Cut, cut_of, texture_of, tidied
from services.segmentation.regions import distance_inside, fill_holes
from services.segmentation.segmenter import Image
from services.segmentation.texture import Plane, smoothed
from services.segmentation.wound import at_size

REACH_PX = 100  # how far beyond the first frame's wound it may reach: fronts recede at first, and stages drift
CORE_PX = 12  # deeper than this in the wound, texture is that of bare ground alone
SMALLEST_FRACTION = 0.0025  # of the image: the last pieces of a wound are small


@dataclass(frozen=True, eq=False)
class _Start:
    """What the first frame tells. zone: its wound, (H, W). covered, bare: levels of texture over cells and deep in the
    zone; bare is NaN where the zone is nowhere deep."""

    zone: Mask
    cut: Cut
    covered: float
    bare: float


def follow_wound(image: Image, first: Image) -> Mask:
    """The scratch of the frame `first` as it is in the later frame `image`: in one piece, several or none.

    Both (H, W); returns (H, W) bool. docs/method.md, Wound in a series, has the steps. Raises InvalidArgument where
    `first` shows no scratch, InvalidImage for frames of two sizes and for one with too little texture over its cells.
    """
    return _follow(image, first, scratch_of, "a band without cells from one side to the opposite one, cells beside it")


def follow_cell_free(image: Image, first: Image) -> Mask:
    """As `follow_wound`, of all ground that was without cells in `first`, whatever its shape."""
    return _follow(image, first, lambda bare: bare, "cells, and ground without any")


def _follow(image: Image, first: Image, choose: Callable[[Mask], Mask], expected: str) -> Mask:
    if image.shape != first.shape:
        raise InvalidImage(
            f"expected frames of one size, {_size(first)} as the first; got {_size(image)}; crop them alike",
            field="image",
        )
    start = _start(texture_of(first), choose)
    if start is None:
        raise InvalidArgument(
            f"expected a first frame that shows {expected}; found none; begin with the frame after the scratch",
            field="first_frame",
        )
    stop_if_abandoned()
    return at_size(_still_open(texture_of(image), start), image)


def _start(texture: Plane, choose: Callable[[Mask], Mask]) -> _Start | None:
    cut = cut_of(texture)
    zone = choose(tidied(cut.bare(texture))) if cut is not None else None
    if cut is None or zone is None or not zone.any() or zone.all():
        return None
    return _Start(zone, cut, _covered_level(texture, zone), _bare_level(texture, zone))


def _still_open(texture: Plane, start: _Start) -> Mask:
    # What lay outside the wound at first is cells in every frame: it tells how exposure and focus have changed.
    covered = _covered_level(texture, start.zone)
    if covered < start.cut.limit:
        raise InvalidImage(
            f"expected about as much texture over the cells as in the first frame, {start.covered:.2f} decades of grey "
            f"levels; got {covered:.2f}, which would be bare ground there: the frame is blank, out of focus or exposed "
            "otherwise; leave it out",
            field="image",
        )
    found = _opened(texture, start, covered, 1.0)
    stop_if_abandoned()
    # Deep in the wound, bare ground is seen as it is in this frame; the limit keeps its place between the two levels.
    contrast = (covered - _bare_level(texture, found)) / (start.covered - start.bare)
    return found if np.isnan(contrast) else _opened(texture, start, covered, contrast)


def _opened(texture: Plane, start: _Start, covered: float, contrast: float) -> Mask:
    """Bare ground of the first frame's zone. covered: this frame's level. contrast: of the levels, over the first's."""
    cap, limit = (covered + contrast * (level - start.covered) for level in (start.cut.cap, start.cut.limit))
    bare = tidied(Cut(cap, limit).bare(texture), SMALLEST_FRACTION)
    bare &= distance_inside(~start.zone) <= REACH_PX
    labels = label(bare, connectivity=1)
    kept = np.unique(labels[start.zone])
    return fill_holes(np.isin(labels, kept[kept > 0]))


def _covered_level(texture: Plane, zone: Mask) -> float:
    """Of cells: the median of mean texture outside `zone` (H, W)."""
    return float(np.median(smoothed(texture, DENSITY_SIGMA_PX)[~zone]))


def _bare_level(texture: Plane, zone: Mask) -> float:
    """Of bare ground: the median of texture deep in `zone` (H, W); NaN where that is too narrow or too small."""
    core = distance_inside(zone) > CORE_PX
    return float(np.median(texture[core])) if core.mean() >= SMALLEST_FRACTION else float("nan")


def _size(image: Image) -> str:
    return f"{image.shape[0]} x {image.shape[1]} px"
