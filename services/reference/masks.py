"""The pixels of each source of a painting order, each computed once and only when asked for."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels, Mask, Segmentation
from services.reference.boundaries import dilate_square, label_boundary
from services.reference.parts import present
from services.reference.sources import tier_of


class Masks:
    """Masks (H, W) bool of one segmentation by the source's name (sources.py), such as `masks["cells_interior"]`.

    tier_of_label: (largest cell label + 1,) uint8, needed for `cell_tier:k` only. The segmentation must have the parts
    that the sources need, as render() checks.
    """

    def __init__(
        self,
        segmentation: Segmentation,
        thickness_px: int,
        dilate_cell_boundary: bool,
        tier_of_label: NDArray[np.uint8] | None,
    ) -> None:
        self._segmentation = segmentation
        self._thickness_px = thickness_px
        self._dilate_cell_boundary = dilate_cell_boundary
        self._tier_of_label = tier_of_label

    def __getitem__(self, source: str) -> Mask:
        tier = tier_of(source)
        mask: Mask = getattr(self, source) if tier is None else self.cells_interior & (self._tiers == tier)
        return mask

    @property
    def everything(self) -> Mask:
        """All pixels."""
        return np.ones(self._segmentation.shape, np.bool_)

    @property
    def wound(self) -> Mask:
        """The wound."""
        return present(self._segmentation.wound)

    @property
    def not_wound(self) -> Mask:
        """All that is not wound."""
        return ~self.wound

    @cached_property
    def cells(self) -> Mask:
        """Cells with their boundaries."""
        return self._cell_labels > 0

    @cached_property
    def cell_boundary(self) -> Mask:
        """Boundaries of cells, dilated where the schema says so."""
        # "Option: cytoplasm boundary dilated with a 3x3 square before use" (docs/method.md, Boundaries): before any
        # use, so that the interior shrinks too.
        boundary = label_boundary(self._cell_labels, self._thickness_px)
        return dilate_square(boundary) if self._dilate_cell_boundary else boundary

    @cached_property
    def cells_interior(self) -> Mask:
        """Cells without their boundaries."""
        return self.cells & ~self.cell_boundary

    @property
    def cell_boundary_outside_wound(self) -> Mask:
        """The "cytoplasm boundary where the wound mask is False" (docs/method.md, Levels)."""
        return self.cell_boundary & ~self.wound

    @cached_property
    def nuclei(self) -> Mask:
        """Nuclei with their boundaries."""
        return present(self._segmentation.nuclei) > 0

    @cached_property
    def nuclei_boundary(self) -> Mask:
        """Boundaries of nuclei, never dilated."""
        return label_boundary(present(self._segmentation.nuclei), self._thickness_px)

    @property
    def nuclei_interior(self) -> Mask:
        """Nuclei without their boundaries."""
        return self.nuclei & ~self.nuclei_boundary

    @property
    def _cell_labels(self) -> Labels:
        return present(self._segmentation.cells)

    @cached_property
    def _tiers(self) -> NDArray[np.uint8]:
        return np.take(present(self._tier_of_label), self._cell_labels)
