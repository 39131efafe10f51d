"""What the levels of a schema mean to a generator, and the objects that a reference shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LevelRoles:
    """Level indices by what they show: no object, the inside of one, or its boundary; together all levels."""

    background: tuple[int, ...]
    interior: tuple[int, ...]
    boundary: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of levels."""
        return len(self.background) + len(self.interior) + len(self.boundary)


def find_objects(reference: NDArray[np.uint8], roles: LevelRoles) -> NDArray[np.int32]:
    """Number the objects of a reference from 1; 0 is background.

    reference: (H, W) level indices. Returns (H, W) int32. An object is an 8-connected piece of interior (the
    interiors of touching labels never meet, since both keep their boundary) with the boundary pixels nearest to it. A
    piece of boundary that touches no interior, as of a small label under a thick boundary, is an object too.

    >>> roles = LevelRoles(background=(0,), interior=(1,), boundary=(2,))
    >>> find_objects(np.array([[2, 1, 2, 2, 1, 1, 2, 0]], np.uint8), roles)
    array([[1, 1, 1, 2, 2, 2, 2, 0]], dtype=int32)
    """
    interior = np.isin(reference, roles.interior) | _without_interior(reference, roles)
    count, pieces = cv2.connectedComponents(interior.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros(reference.shape, np.int32)
    _, nearest = cv2.distanceTransformWithLabels(
        (~interior).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
    )
    # OpenCV numbers the pieces anew here: translate its numbers into the first ones.
    translation = np.zeros(int(nearest.max()) + 1, np.int32)
    translation[nearest[interior]] = pieces[interior]
    return np.where(np.isin(reference, roles.background), 0, translation[nearest]).astype(np.int32)


def bare_share(reference: NDArray[np.uint8], roles: LevelRoles) -> float:
    """Of the edges between interiors and what is no interior, the share beyond which is no boundary but background.

    reference: (H, W) level indices. 0 in what was rendered, since a boundary lies around every interior; a label map
    that passes for a reference has mostly such edges. 0 too where there is no edge, or the schema has no boundary.

    >>> roles = LevelRoles(background=(0,), interior=(1,), boundary=(2,))
    >>> bare_share(np.array([[0, 1, 1, 0, 2, 1]], np.uint8), roles)
    0.6666666666666666
    """
    if not roles.boundary:
        return 0.0
    interior, background = np.isin(reference, roles.interior), np.isin(reference, roles.background)
    edges = bare = 0
    for first, second in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        edges += int(np.count_nonzero(interior[first] != interior[second]))
        bare += int(((interior[first] & background[second]) | (background[first] & interior[second])).sum())
    return bare / edges if edges else 0.0


def _without_interior(reference: NDArray[np.uint8], roles: LevelRoles) -> NDArray[np.bool_]:
    """The pixels of objects that are boundary throughout."""
    _, wholes = cv2.connectedComponents((~np.isin(reference, roles.background)).astype(np.uint8), connectivity=8)
    has_interior = np.zeros(int(wholes.max()) + 1, np.bool_)
    has_interior[wholes[np.isin(reference, roles.interior)]] = True
    has_interior[0] = True  # the background, which is no object
    lonely: NDArray[np.bool_] = ~has_interior[wholes]
    return lonely
