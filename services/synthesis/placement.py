"""Objects re-placed: each moves, with those that it touches, to where it touches nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels, Mask
from services.synthesis.truth import Truth

_TRIES = 40  # places that a cluster is tried at; where all are taken, as in a dense field, it stays
_TOUCH = np.ones((3, 3), np.uint8)  # pixels touch side by side and corner to corner


@dataclass(frozen=True)
class Replaced:
    """Clusters of objects that touch each other: how many there are, how many moved, and the objects in these."""

    clusters: int
    clusters_moved: int
    objects_moved: int


@dataclass(frozen=True)
class _Cluster:
    """Its labels in the box around it, which is a pixel wider on each side; 0 elsewhere. top, left: of that box."""

    labels: Labels
    top: int
    left: int


def replaced(truth: Truth, generator: np.random.Generator) -> tuple[Truth, Replaced]:
    """Move clusters, mirrored or not, to random free places, at least one pixel of ground from all others.

    Those at the image's edge stay, for they are cut off there; so do those that touch the wound, and none moves into
    it; and objects in several pieces.
    """
    labels = truth.labels.copy()
    taken = labels > 0 if truth.wound is None else (labels > 0) | truth.wound
    count, clusters = _clusters(truth)
    moved = [cluster for cluster in clusters if _move(cluster, labels, taken, generator)]
    objects = sum(len(np.unique(cluster.labels)) - 1 for cluster in moved)
    return Truth(labels, truth.wound), Replaced(count, len(moved), objects)


def _clusters(truth: Truth) -> tuple[int, list[_Cluster]]:
    """How many there are, and those that may move, large ones first: small ones find room between them."""
    count, found, boxes, _ = cv2.connectedComponentsWithStats((truth.labels > 0).view(np.uint8), connectivity=8)
    pieces = np.asarray(found, np.int32)
    fixed = _fixed(truth, pieces, count)
    movable = []
    for number in sorted(np.flatnonzero(~fixed), key=lambda one: (-boxes[one, cv2.CC_STAT_AREA], one)):
        left, top, width, height = (int(value) for value in boxes[number, :4])
        window = np.s_[top - 1 : top + height + 1, left - 1 : left + width + 1]
        movable.append(_Cluster(np.where(pieces[window] == number, truth.labels[window], 0), top - 1, left - 1))
    return count - 1, movable


def _fixed(truth: Truth, pieces: NDArray[np.int32], count: int) -> Mask:
    """Which pieces stay, (count,); the ground, 0, among them."""
    fixed = np.zeros(count, np.bool_)
    fixed[0] = True
    frame = np.ones(pieces.shape, np.bool_)
    frame[1:-1, 1:-1] = False
    fixed[pieces[frame]] = True
    if truth.wound is not None:
        fixed[pieces[cv2.dilate(truth.wound.view(np.uint8), _TOUCH) > 0]] = True
    inside = pieces > 0
    # Each label with each piece that it has pixels in, as one number, which sorts faster than pairs.
    pairs = np.unique(truth.labels[inside].astype(np.int64) * count + pieces[inside])
    labels, owners = np.divmod(pairs, count)
    _, of_label, times = np.unique(labels, return_inverse=True, return_counts=True)
    fixed[owners[times[of_label] > 1]] = True  # an object in several pieces
    return fixed


def _move(cluster: _Cluster, labels: Labels, taken: Mask, generator: np.random.Generator) -> bool:
    """Move it in place, in `labels` and `taken`, unless no free place was found."""
    new = cluster.labels[:: generator.choice((-1, 1)), :: generator.choice((-1, 1))]
    grown = cv2.dilate((new > 0).astype(np.uint8), _TOUCH) > 0
    height, width = new.shape
    old = np.s_[cluster.top : cluster.top + height, cluster.left : cluster.left + width]
    own = cluster.labels > 0
    taken[old] &= ~own
    # The box has a pixel of ground around: a cluster that lies in the image with its box does not touch the edge.
    for top, left in generator.integers(
        (0, 0), (labels.shape[0] - height + 1, labels.shape[1] - width + 1), (_TRIES, 2)
    ):
        place = np.s_[top : top + height, left : left + width]
        if not (taken[place] & grown).any():
            labels[old][own] = 0
            labels[place][new > 0] = new[new > 0]
            taken[place] |= new > 0
            return True
    taken[old] |= own
    return False
