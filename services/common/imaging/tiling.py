"""Running a network on an image in tiles whose results fit together exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.common.abandonment import stop_if_abandoned
from services.common.progress import tell_progress

# Rows and columns, for indexing the last two axes of an array.
Window: TypeAlias = tuple[slice, slice]
T = TypeVar("T")


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

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

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
    """Tile an image of (height, width), both divisible by `stride`, row by row, in tiles of about one size.

    side: an inner has at most the pixels of a square of this side, a multiple of stride; of all such grids the one with
    the shortest seams, along which halos are read twice. halo: at least the reach of the receptive field, a multiple of
    stride, so that every outer starts on the network's grid (docs/method.md, Exact tiling). Raises ValueError for no
    multiples.

    >>> for tile in cut(4, 40, side=10, halo=5, stride=1): print(tile.outer.slices[1], tile.inner.slices[1])
    slice(0, 25, None) slice(0, 20, None)
    slice(15, 40, None) slice(20, 40, None)
    """
    if side % stride or halo % stride or height % stride or width % stride:
        raise ValueError(
            f"expected height, width, side and halo divisible by {stride}; got {height}, {width}, {side}, {halo}"
        )
    rows, columns = _grid(height, width, side, stride)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            inner = Box(top, left, min(top + rows, height), min(left + columns, width))
            outer = Box(
                max(0, top - halo),
                max(0, left - halo),
                min(inner.bottom + halo, height),
                min(inner.right + halo, width),
            )
            yield Tile(outer, inner)


def _grid(height: int, width: int, side: int, stride: int) -> tuple[int, int]:
    """Rows and columns of an inner, so that its area is at most that of `side` and the seams are shortest."""
    best, shortest = (side, side), math.inf
    for down in range(1, height // stride + 1):
        rows = _even(height, down, stride)
        columns = side * side // rows // stride * stride
        if not columns:  # rows too tall for the area
            continue
        across = -(-width // columns)
        seams = (down - 1) * width + (across - 1) * height
        if seams < shortest:
            best, shortest = (rows, _even(width, across, stride)), seams
    return best


def _even(length: int, parts: int, stride: int) -> int:
    """The least multiple of `stride` with which so many parts cover a length."""
    return -(-length // (parts * stride)) * stride


def run_tiles(
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    planes_in: Callable[[Window], NDArray[np.float32]],
    shape: tuple[int, int],
    side: int,
    halo: int,
    stride: int,
    batch_px: int = 0,
) -> NDArray[np.float32]:
    """Run a network tile by tile. Returns its output planes, (C, H, W) float32 of `shape`, which `stride` divides.

    run, batch_px: an engine's, (B, P, h, w) to (B, C, h, w). planes_in: gives the input planes (P, h, w) of a window,
    so that those of the whole image never exist at once. side, halo, stride: as for `cut`. Raises Abandoned between
    batches, and tells there how many tiles are done.
    """
    result: NDArray[np.float32] | None = None
    done, tiles = 0, list(cut(*shape, side, halo, stride))
    # By size, so that few batches are small; the largest first, since what follows fits into the memory of those.
    for batch in gather(sorted(tiles, key=_outer_size, reverse=True), _outer_size, batch_px):
        stop_if_abandoned()
        made = run(stack_planes(planes_in, [tile.outer.slices for tile in batch]))
        if result is None:
            result = np.empty((made.shape[1], *shape), np.float32)
        for tile, planes in zip(batch, made, strict=True):
            result[:, *tile.inner.slices] = planes[:, *tile.inner.within(tile.outer)]
        done += len(batch)
        tell_progress(done, len(tiles))
    if result is None:
        raise ValueError(f"expected an image with pixels; got {shape}")
    return result


def gather(items: Iterable[T], size: Callable[[T], tuple[int, int]], batch_px: int) -> Iterator[list[T]]:
    """Neighbours of one size, (height, width), in batches of at most so many pixels; a larger one is alone.

    >>> [len(batch) for batch in gather([(4, 4)] * 5 + [(4, 8), (64, 64)], size=lambda item: item, batch_px=32)]
    [2, 2, 1, 1, 1]
    """
    for (height, width), same in groupby(items, size):
        most = max(1, batch_px // (height * width))
        while batch := list(islice(same, most)):
            yield batch


def stack_planes(planes_in: Callable[[Window], NDArray[np.float32]], windows: Sequence[Window]) -> NDArray[np.float32]:
    """The planes of several windows of one size: (B, P, h, w)."""
    first = planes_in(windows[0])
    if len(windows) == 1:
        return np.ascontiguousarray(first)[None]
    batch = np.empty((len(windows), *first.shape), np.float32)
    batch[0] = first
    for index, window in enumerate(windows[1:], start=1):  # not a list of all, which would take the memory twice
        batch[index] = planes_in(window)
    return batch


def _outer_size(tile: Tile) -> tuple[int, int]:
    return tile.outer.size
