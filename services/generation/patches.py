"""Images of patches that a network draws each for itself: overlapping and averaged, or side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from services.common.abandonment import stop_if_abandoned
from services.common.imaging.tiling import Window, gather, stack_planes
from services.common.progress import tell_progress

PATCH_PX = 256


@dataclass(frozen=True, eq=False)
class Stretch:
    """A part of an axis, and what each of its pixels counts: over all parts of the axis, weights sum to 1."""

    pixels: slice
    weights: NDArray[np.float32]


def run_patches(
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    planes_in: Callable[[Window], NDArray[np.float32]],
    shape: tuple[int, int],
    overlap_px: int,
    batch_px: int = 0,
) -> NDArray[np.float32]:
    """Run a network patch by patch, and average where they overlap. Returns its plane, (H, W) float32 of `shape`.

    run, planes_in, batch_px: as for `run_tiles`. overlap_px: of neighbours; 0: side by side. The network's stride
    divides all of shape, PATCH_PX and overlap_px. Raises Abandoned between batches, and tells there how many patches
    are done.
    """
    patches = list(product(cut_axis(shape[0], overlap_px), cut_axis(shape[1], overlap_px)))
    result, done = np.zeros(shape, np.float32), 0
    # In the order of rows, whatever the batch: sums of what overlaps are then the same to the last bit.
    for batch in gather(patches, _size, batch_px):
        stop_if_abandoned()
        made = run(stack_planes(planes_in, [(row.pixels, column.pixels) for row, column in batch]))[:, 0]  # (B, h, w)
        for (row, column), patch in zip(batch, made, strict=True):
            result[row.pixels, column.pixels] += row.weights[:, None] * column.weights * patch
        done += len(batch)
        tell_progress(done, len(patches))
    return result


def cut_axis(length: int, overlap_px: int) -> Iterator[Stretch]:
    """Cut an axis into stretches of PATCH_PX; the last one ends with the image.

    Weights are a Hann window, sin^2(pi (i + 1/2) / n), over the sum of all stretches' windows at that pixel.

    >>> [stretch.pixels for stretch in cut_axis(400, overlap_px=128)]
    [slice(0, 256, None), slice(128, 384, None), slice(256, 400, None)]
    """
    begins = range(0, max(1, length - overlap_px), PATCH_PX - overlap_px)
    parts = [slice(begin, min(begin + PATCH_PX, length)) for begin in begins]
    windows = [_hann(part.stop - part.start) for part in parts]
    total = np.zeros(length)
    for part, window in zip(parts, windows, strict=True):
        total[part] += window
    for part, window in zip(parts, windows, strict=True):
        yield Stretch(part, (window / total[part]).astype(np.float32))


def _size(patch: tuple[Stretch, Stretch]) -> tuple[int, int]:
    row, column = patch
    return len(row.weights), len(column.weights)


def _hann(length: int) -> NDArray[np.float64]:
    """Above 0 everywhere, so that the image's edge, which has one patch only, keeps its weight of 1."""
    window: NDArray[np.float64] = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    return window
