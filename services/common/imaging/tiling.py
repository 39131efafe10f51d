"""Cutting an image into tiles whose results fit together exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

# Rows and columns, for indexing the last two axes of an array.
Window: TypeAlias = tuple[slice, slice]


@dataclass(frozen=True)
class Box:
    """A half-open rectangle of pixels."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> Window:
        """For indexing an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def within(self, outer: Box) -> Window:
        """Slices of this box in an array that holds `outer`.

        >>> Box(4, 8, 8, 12).within(outer=Box(2, 6, 10, 14))
        (slice(2, 6, None), slice(2, 6, None))
        """
        return (
            slice(self.top - outer.top, self.bottom - outer.top),
            slice(self.left - outer.left, self.right - outer.left),
        )


@dataclass(frozen=True)
class Tile:
    """Read `outer` (inner plus halo, clipped to the image), keep `inner`; the inners cover the image exactly once."""

    outer: Box
    inner: Box


def cut(height: int, width: int, side: int, halo: int, stride: int) -> Iterator[Tile]:
    """Tile an image of (height, width), both divisible by `stride`, row by row.

    side: side of an inner, a multiple of stride; halo: at least the reach of the receptive field, a multiple of stride,
    so that every outer starts on the network's grid (docs/method.md, Exact tiling). Raises ValueError for no multiples.

    >>> for tile in cut(4, 12, side=8, halo=4, stride=4): print(tile.outer.slices[1], tile.inner.slices[1])
    slice(0, 12, None) slice(0, 8, None)
    slice(4, 12, None) slice(8, 12, None)
    """
    if side % stride or halo % stride or height % stride or width % stride:
        raise ValueError(
            f"expected height, width, side and halo divisible by {stride}; got {height}, {width}, {side}, {halo}"
        )
    for top in range(0, height, side):
        for left in range(0, width, side):
            inner = Box(top, left, min(top + side, height), min(left + side, width))
            outer = Box(
                max(0, top - halo),
                max(0, left - halo),
                min(inner.bottom + halo, height),
                min(inner.right + halo, width),
            )
            yield Tile(outer, inner)
