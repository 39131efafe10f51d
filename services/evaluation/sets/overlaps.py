"""Where two label maps of one image overlap, and what follows: objects missed, merged and split, AJI, Dice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.evaluation.average_precision import COCO_THRESHOLDS
from services.evaluation.sets.objects import numbered

HALF = 0.5


@dataclass(frozen=True, eq=False)
class Overlaps:
    """All pairs of a true and a found object with a common pixel; objects are numbered from 0.

    true, found: (p,), which objects. pixels: (p,), how many they share. true_areas: (n,). found_areas: (m,).

    >>> halves = find_overlaps(np.array([[1, 1, 1, 1, 0, 2]]), np.array([[3, 3, 4, 4, 5, 0]]))
    >>> halves.missed, halves.merged, halves.split, round(halves.aji, 3), round(halves.dice, 3)
    (1, 0, 1, 0.25, 0.8)
    """

    true: NDArray[np.intp]
    found: NDArray[np.intp]
    pixels: NDArray[np.float64]
    true_areas: NDArray[np.float64]
    found_areas: NDArray[np.float64]

    @property
    def missed(self) -> int:
        """True objects of which less than half lies in found objects."""
        return int((np.bincount(self.true, self.pixels, len(self.true_areas)) < HALF * self.true_areas).sum())

    @property
    def merged(self) -> int:
        """True objects of which at least half lies in a found object that holds half of another one too."""
        held = self.pixels >= HALF * self.true_areas[self.true]
        together = np.bincount(self.found[held], minlength=len(self.found_areas)) > 1
        return len(np.unique(self.true[held & together[self.found]]))

    @property
    def split(self) -> int:
        """True objects that hold at least half of each of two or more found objects."""
        held = self.pixels >= HALF * self.found_areas[self.found]
        return int((np.bincount(self.true[held], minlength=len(self.true_areas)) > 1).sum())

    def average_precision(self, thresholds: Sequence[float] = COCO_THRESHOLDS) -> NDArray[np.float64]:
        """As in average_precision.py, without a matrix of all pairs: judges may find specks by the thousand."""
        ious = self.pixels / self._unions
        scores = []
        for threshold in thresholds:
            hits = ious >= threshold
            # Each group of linked objects is a tree: as many matches as objects less links.
            matched = len(np.unique(self.true[hits])) + len(np.unique(self.found[hits])) - int(hits.sum())
            total = len(self.true_areas) + len(self.found_areas) - matched
            scores.append(matched / total if total else 1.0)
        return np.array(scores)

    @property
    def aji(self) -> float:
        """Aggregated Jaccard index (Kumar et al., IEEE Trans. Medical Imaging 36, 1550, 2017); 1 for two empty maps.

        Intersections over unions, both summed over true objects, each with the found one of the largest IoU (the lowest
        number of equal ones); found objects that are nobody's add to the unions.
        """
        unions = self._unions
        order = np.lexsort((self.found, -self.pixels / unions, self.true))
        _, firsts = np.unique(self.true[order], return_index=True)
        best = order[firsts]
        alone = self.true_areas.sum() - self.true_areas[self.true[best]].sum()
        nobodys = self.found_areas.sum() - self.found_areas[np.unique(self.found[best])].sum()
        total = unions[best].sum() + alone + nobodys
        return float(self.pixels[best].sum() / total) if total else 1.0

    @property
    def dice(self) -> float:
        """Twice the common foreground over both foregrounds (Dice, Ecology 26, 297, 1945); 1 for two empty maps."""
        total = self.true_areas.sum() + self.found_areas.sum()
        return float(2 * self.pixels.sum() / total) if total else 1.0

    @property
    def _unions(self) -> NDArray[np.float64]:
        return self.true_areas[self.true] + self.found_areas[self.found] - self.pixels


def find_overlaps(true: NDArray[np.int32], found: NDArray[np.int32]) -> Overlaps:
    """Overlaps of two label maps, (H, W), 0 = background. Raises InvalidArgument for two sizes."""
    if true.shape != found.shape:
        raise InvalidArgument(f"expected label maps of one size; got {true.shape} and {found.shape}")
    first, second = numbered(true).ravel(), numbered(found).ravel()
    areas, other_areas = (np.bincount(labels)[1:].astype(np.float64) for labels in (first, second))
    both = (first > 0) & (second > 0)
    columns = max(len(other_areas), 1)
    pairs, pixels = np.unique((first[both] - 1) * columns + second[both] - 1, return_counts=True)
    return Overlaps(pairs // columns, pairs % columns, pixels.astype(np.float64), areas, other_areas)
