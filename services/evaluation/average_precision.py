"""How well found objects match true ones: average precision at thresholds of IoU (intersection over union)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Labels

COCO_THRESHOLDS = tuple(float(t) for t in np.arange(0.5, 0.96, 0.05).round(2))


def average_precision(
    true: Labels, found: Labels, thresholds: Sequence[float] = COCO_THRESHOLDS
) -> NDArray[np.float64]:
    """AP@t = TP / (TP + FP + FN) for each threshold t (Caicedo et al., Nature Methods 16, 1247, 2019).

    true, found: (H, W) instance labels, 0 = background. A pair matches where its IoU is at least t, t >= 0.5, so that
    matches are one to one. Two empty maps agree: 1. Raises InvalidArgument for two sizes, or a threshold below 0.5.
    docs/method.md, Average precision.

    >>> true, found = np.array([[1, 1, 0, 2, 2]]), np.array([[5, 5, 5, 0, 0]])
    >>> average_precision(true, found, thresholds=(0.5, 0.75))
    array([0.5, 0. ])
    """
    if true.shape != found.shape:
        raise InvalidArgument(f"expected label maps of one size; got {true.shape} and {found.shape}")
    if min(thresholds) < 0.5:
        raise InvalidArgument(f"expected thresholds of at least 0.5; got {min(thresholds)}")
    ious, count_true, count_found = _ious(true, found)
    scores = []
    for threshold in thresholds:
        # At exactly 0.5 two halves can both reach one whole. Each group of linked objects is a tree and counts as one
        # match: its objects less its links.
        hits = ious >= threshold
        matched = int(hits.any(1).sum()) + int(hits.any(0).sum()) - int(hits.sum())
        total = count_true + count_found - matched
        scores.append(matched / total if total else 1.0)
    return np.array(scores)


def _ious(true: Labels, found: Labels) -> tuple[NDArray[np.float64], int, int]:
    _, first = np.unique(true, return_inverse=True)
    _, second = np.unique(found, return_inverse=True)
    # Number 0 is the background, also in a map without any: its objects are numbered from 1 all the same.
    first, second = first.ravel() + int(not (true == 0).any()), second.ravel() + int(not (found == 0).any())
    rows, columns = int(first.max()) + 1, int(second.max()) + 1
    overlap = np.bincount(first * columns + second, minlength=rows * columns).reshape(rows, columns).astype(np.float64)
    union = overlap.sum(1, keepdims=True) + overlap.sum(0, keepdims=True) - overlap
    return (overlap / np.maximum(union, 1.0))[1:, 1:], rows - 1, columns - 1
