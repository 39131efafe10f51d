"""The wound of a scratch assay by texture: the smooth band that runs from one side of the image to the other."""

from __future__ import annotations

import cv2
import numpy as np

from services.common.abandonment import stop_if_abandoned
from services.common.imaging.labels import Mask
from services.segmentation.band import scratch_of
from services.segmentation.ground import cut_of, texture_of, tidied
from services.segmentation.segmenter import Image


def find_wound(image: Image) -> Mask:
    """The cell-free band that spans the image, filled; all False where there is none.

    image: (H, W) phase contrast, bright field, or fluorescence. Returns (H, W) bool. docs/method.md, Wound zone, has
    the steps. The Gaussian mean of texture (the log of the local standard deviation) is high over cells and low over
    bare ground, with the front half-way. Where it does not fall into two classes, all is of one kind: "no wound".
    """
    return at_size(scratch_of(_cell_free(image)), image)


def find_cell_free(image: Image) -> Mask:
    """All ground without cells, whatever its shape. image: (H, W), as for `find_wound`. Returns (H, W) bool."""
    return at_size(_cell_free(image), image)


def at_size(mask: Mask, image: Image) -> Mask:
    """A mask of working size at the size of its image, (H, W), by nearest pixel."""
    height, width = image.shape
    return cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)


def _cell_free(image: Image) -> Mask:
    texture = texture_of(image)
    stop_if_abandoned()
    cut = cut_of(texture)
    if cut is None:
        return np.zeros(texture.shape, bool)
    stop_if_abandoned()
    return tidied(cut.bare(texture))
