"""Average precision of instance labels: objects matched by intersection over union."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


def average_precision(
    truth: NDArray[np.integer], found: NDArray[np.integer], thresholds: tuple[float, ...] = THRESHOLDS
) -> NDArray[np.float64]:
    """AP = TP / (TP + FP + FN) at each threshold of intersection over union.

    truth, found: (H, W) labels, 0 = background, numbers may have gaps. Returns (len(thresholds),); 1 where both are
    empty. A pair counts from IoU >= threshold; from 0.5 on (above it for certain) no object can be in two pairs, and
    at exactly 0.5 each object still counts once. After Caicedo et al., Nature Methods 16, 1247 (2019).
    """
    if truth.shape != found.shape:
        raise ValueError(f"expected labels of one shape, got {truth.shape} and {found.shape}")
    overlap = _overlaps(truth, found)
    if 0 in overlap.shape:
        return np.full(len(thresholds), 1.0 if overlap.shape == (0, 0) else 0.0)
    values = []
    for threshold in thresholds:
        hits = overlap >= threshold
        matched = min(int(hits.any(axis=0).sum()), int(hits.any(axis=1).sum()))
        values.append(matched / (sum(overlap.shape) - matched))
    return np.array(values)


def _overlaps(truth: NDArray[np.integer], found: NDArray[np.integer]) -> NDArray[np.float64]:
    """Intersection over union of every true with every found object, (n true, n found)."""
    true_names, true_index = np.unique(truth, return_inverse=True)
    found_names, found_index = np.unique(found, return_inverse=True)
    shape = (true_names.size, found_names.size)
    both = np.bincount(true_index.ravel() * shape[1] + found_index.ravel(), minlength=shape[0] * shape[1]).reshape(
        shape
    )
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True) - both
    ratio = both / either
    return np.asarray(ratio[np.ix_(true_names != 0, found_names != 0)], np.float64)
