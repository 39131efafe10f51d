"""Seams: steps of brightness where tiles meet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import (
    Features,
    Measure,
    Measured,
    SetMetric,
    Statistic,
    field_means,
    mean_of_chosen,
)


def seam_ratio(image: NDArray[np.float32], tile_px: int) -> float:
    """Mean absolute difference across rows and columns where tiles meet, over that across all others.

    image: (H, W). Tiles meet before rows and columns tile_px, 2 tile_px, ... NaN where none do, or where nothing else
    differs.

    >>> image = np.tile(np.array([0, 1, 0, 5, 4, 5], np.float32), (6, 1))
    >>> seam_ratio(image, tile_px=3)  # across: 5 at the seam, 1 elsewhere; down: nothing anywhere
    5.0
    """
    at, elsewhere = [], []
    for steps in (np.abs(np.diff(image, axis=0)).mean(1), np.abs(np.diff(image, axis=1)).mean(0)):
        seam = np.arange(1, len(steps) + 1) % tile_px == 0
        at.append(steps[seam])
        elsewhere.append(steps[~seam])
    first, second = np.concatenate(at), np.concatenate(elsewhere)
    return float(first.mean() / second.mean()) if first.size and second.size and second.any() else float("nan")


def _measure(tile_px: int) -> Measure:
    def measure(field: Field) -> Features:
        ratio = seam_ratio(field.image, tile_px)
        return np.array([[ratio]]) if np.isfinite(ratio) else np.empty((0, 1))

    return measure


def _score(_: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
    return mean_of_chosen(field_means(other)[:, 0])


def seam_metric(tile_px: int | None) -> SetMetric:
    """The seam score for tiles of a side; None: not known, so there is no such score."""
    return SetMetric(
        name="seam_score",
        what="How much stronger steps are where tiles meet than elsewhere; real images set what is usual.",
        direction="two-sided",
        of_one_set=True,
        needs_labels=False,
        needs="more px than one tile" if tile_px is None else f"more than {tile_px} px and some contrast",
        measure=_measure(tile_px or 1),
        prepare=_score,
        floors=(),
        absent="" if tile_px else "the side of the tiles was not given",
    )
