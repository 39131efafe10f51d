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
    interiors of touching labels never meet, since both keep their boundary) with the boundary pixels nearest to it.

    >>> roles = LevelRoles(background=(0,), interior=(1,), boundary=(2,))
    >>> find_objects(np.array([[2, 1, 2, 2, 1, 1, 2, 0]], np.uint8), roles)
    array([[1, 1, 1, 2, 2, 2, 2, 0]], dtype=int32)
    """
    interior = np.isin(reference, roles.interior)
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
