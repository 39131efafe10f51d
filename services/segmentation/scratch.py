"""A scratch assay: its wound, and the cells beside and in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels, Mask, Segmentation
from services.segmentation.cells import find_cells
from services.segmentation.learned.segment import SURE_OBJECT, Objects
from services.segmentation.regions import tidy
from services.segmentation.segmenter import Found, Image
from services.segmentation.wound import find_wound
from services.segmentation.wound_zone import wound_zone

# The wound (H, W) of an image (H, W) with these cells (H, W).
WoundOf: TypeAlias = Callable[[Image, Labels], Mask]


def find_scratch(image: Image) -> Segmentation:
    """Cells by texture, and the wound, without a network. image: (H, W)."""
    cells = find_cells(image).labels
    return Segmentation(cells=cells, wound=wound_by_texture(image, cells))


def find_scratch_learned(image: Image, objects: Objects, wound_of: WoundOf) -> Found:
    """Cells that a network found, `objects`, and the wound. image: (H, W).

    Where the network is not at home in the image, cells that it is sure of are kept, and the others are by texture: it
    was trained on cells that stand apart, and a confluent sheet is little like them. Cells brighter than the ground in
    dark rims it knows from inverted crops only, and of those it is too seldom sure.
    """
    if objects.is_sure:
        segmentation = Segmentation(cells=objects.labels, wound=wound_of(image, objects.labels))
        return Found(segmentation, {"cells": objects.confidence}, objects.diameter_px)
    by_texture = find_cells(image)
    cells, confidence = _completed(objects, by_texture.labels, least=2.0 if by_texture.bright else SURE_OBJECT)
    segmentation = Segmentation(cells=cells, wound=wound_of(image, cells))
    return Found(segmentation, {"cells": confidence}, objects.diameter_px, _doubt(objects, confidence))


def _doubt(objects: Objects, confidence: NDArray[np.float32]) -> tuple[str, ...]:
    """What is to be known of cells with this confidence, NaN of those by texture; nothing where there are no cells."""
    sure = int(np.isfinite(confidence).sum())
    unsure = len(objects.confidence) - sure
    if sure < len(confidence):
        which = f"it is sure of {sure} of {len(confidence)} cells, and the others are" if sure else "all cells are"
        told = f"{which} by texture, outlined less exactly and of no told confidence"
    elif unsure > 0:
        told = f"{unsure} more that it found are left out, for it is not sure of them, and texture shows no cells there"
    else:
        return ()
    return (f"the network knows few images like this one: {told}",)


def wound_by_texture(image: Image, cells: Labels) -> Mask:
    """The smooth band that spans the image; cells in it, those that migrate or float, are cut out.

    So did the original wound-healing pipeline (docs/method.md, Wound zone).
    """
    wound: Mask = find_wound(image) & (cells == 0)
    return wound


def wound_by_cells(_image: Image, cells: Labels) -> Mask:
    """The original pipeline's wound zone, exactly. Raises InvalidSegmentation for a side above 4096 px."""
    return wound_zone(cells)


def _completed(objects: Objects, by_texture: Labels, least: float) -> tuple[Labels, NDArray[np.float32]]:
    """Objects of at least this confidence, and of the others what they leave; with the confidence of each, or NaN."""
    kept = np.append(False, objects.confidence >= least)[objects.labels]
    areas = np.bincount(by_texture.ravel())
    left = np.bincount(by_texture[~kept], minlength=len(areas))
    # What is covered by half or more is one of the sure ones.
    rest = np.where(~kept & (2 * left > areas)[by_texture], by_texture, 0)
    shift = int(objects.labels.max(initial=0))
    cells = tidy(np.where(kept, objects.labels, np.where(rest > 0, rest + shift, 0)), 1)
    source = np.zeros(int(cells.max(initial=0)) + 1, np.intp)
    source[cells] = np.where(kept, objects.labels, 0)
    told = np.append(np.float32(np.nan), objects.confidence)
    return cells, np.asarray(told[source[1:]], np.float32)
