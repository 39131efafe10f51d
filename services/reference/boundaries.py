"""Boundaries of labels, all labels at once."""

from __future__ import annotations

import cv2
import numpy as np
from biosynth.contract import MAX_THICKNESS_PX

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Labels, Mask


def label_boundary(labels: Labels, thickness_px: int = 1) -> Mask:
    """Pixels on the boundary of their label.

    labels: (H, W) int32, 0 = background. Returns (H, W) bool, False on the background. Raises InvalidArgument for a
    thickness outside 1 to 64.

    "The boundary of a label is the label minus its 3x3-cross erosion (scipy's default structure; pixels at the image's
    edge count as boundary), per label, so touching cells keep both boundaries." "Thickness t is the label minus its
    t-fold erosion: the pixels at most t steps, up, down, left or right, from a pixel that is not of their label, the
    outside of the image among these." (docs/method.md, Boundaries)
    One pass over all labels gives the same pixels: a pixel is inside if and only if its four neighbours bear its own
    label. What is left inside different labels never touches along a side, so further erosions need no labels.

    >>> label_boundary(np.array([[1, 1, 1, 2, 2, 2]] * 3)).astype(int)
    array([[1, 1, 1, 1, 1, 1],
           [1, 0, 1, 1, 0, 1],
           [1, 1, 1, 1, 1, 1]])
    """
    if not 1 <= thickness_px <= MAX_THICKNESS_PX:
        raise InvalidArgument(f"expected a boundary thickness of 1 to {MAX_THICKNESS_PX} px; got {thickness_px}")
    boundary = _differs_from_a_neighbour(labels)
    if thickness_px > 1:
        boundary = ~_erode(~boundary & (labels > 0), thickness_px - 1)
    boundary &= labels > 0
    return boundary


def dilate_square(mask: Mask) -> Mask:
    """The mask and all pixels next to it, corners too: a dilation by a 3x3 square. (H, W) bool to (H, W) bool.

    >>> dilate_square(np.array([[0, 0, 0, 1], [0, 0, 0, 0]], bool)).astype(int)
    array([[0, 0, 1, 1],
           [0, 0, 1, 1]])
    """
    square = np.ones((3, 3), np.uint8)
    return cv2.dilate(mask.view(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0).view(np.bool_)


def _differs_from_a_neighbour(labels: Labels) -> Mask:
    differs = np.zeros(labels.shape, np.bool_)
    differs[[0, -1], :] = differs[:, [0, -1]] = True
    down = labels[1:] != labels[:-1]
    differs[1:] |= down
    differs[:-1] |= down
    right = labels[:, 1:] != labels[:, :-1]
    differs[:, 1:] |= right
    differs[:, :-1] |= right
    return differs


def _erode(mask: Mask, times: int) -> Mask:
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return cv2.erode(
        np.ascontiguousarray(mask).view(np.uint8),
        cross,
        iterations=times,
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    ).view(np.bool_)
