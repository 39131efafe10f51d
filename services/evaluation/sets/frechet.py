"""Frechet distance of two sets of features, which with Inception's is FID."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.evaluation.sets.metric import Features, Indices, Measure, Measured, SetMetric, Statistic
from services.evaluation.sets.window_features import NEEDS
from services.evaluation.sets.windows import chosen_windows, need_windows

# The more windows, the smaller the bias; resampling takes singular values of a matrix of so many rows.
MOST_PER_SET = 400
NOT_MOUNTED = "no Inception weights were mounted"


class FrechetDistance:
    """abs(m1 - m2)^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)) of two weighted sets of points (Heusel et al., NeurIPS, 2017).

    With A and B the centred points, each divided by the root of its number less one, C1 = A'A and C2 = B'B, and the
    trace of the root is the sum of the singular values of AB'. That is exact also where covariances are singular, as
    they are with fewer points than features, needs neither a root of a matrix nor a small number on its diagonal, and
    asks for the scalar products of the points alone; so other weights cost no more than singular values.
    """

    def __init__(self, first: Features, second: Features) -> None:
        """first: (n, d), second: (m, d)."""
        middle = np.concatenate([first, second]).mean(0)  # far from 0, scalar products would lose their digits
        first, second = first - middle, second - middle
        self._first, self._second, self._between = first @ first.T, second @ second.T, first @ second.T

    def __call__(self, first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
        """The distance. first: (n,), second: (m,), how many times each point counts. NaN for fewer than two points."""
        if min(first.sum(), second.sum()) < 2:
            return float("nan")
        here, there = first > 0, second > 0  # what counts nowhere would only make the matrix larger
        within, among, between = (
            products[np.ix_(rows, columns)]
            for products, rows, columns in (
                (self._first, here, here), (self._second, there, there), (self._between, here, there)
            )
        )  # fmt: skip
        first, second = first[here], second[there]
        p, q = first / first.sum(), second / second.sum()
        means = p @ within @ p + q @ among @ q - 2 * p @ between @ q
        spread = _trace(within, first, p) + _trace(among, second, q)
        centred = between - (p @ between)[None] - (between @ q)[:, None] + p @ between @ q
        roots = [np.sqrt(weights / (weights.sum() - 1)) for weights in (first, second)]
        shared = np.linalg.svd(roots[0][:, None] * centred * roots[1][None], compute_uv=False).sum()
        return float(max(means + spread - 2 * shared, 0.0))  # below 0 by rounding alone


def _trace(products: NDArray[np.float64], weights: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """Of the covariance: mean square less the square of the mean, by the number less one."""
    mean_square = shares @ np.diag(products) - shares @ products @ shares
    return float(mean_square * weights.sum() / (weights.sum() - 1))


def _distance(real: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
    need_windows(real, other)
    (first, first_owners), (second, second_owners) = (chosen_windows(each, MOST_PER_SET) for each in (real, other))
    distance = FrechetDistance(first, second)

    def statistic(chosen_real: Indices, chosen: Indices) -> float:
        counts = [
            np.bincount(indices, minlength=len(fields)).astype(np.float64)
            for indices, fields in ((chosen_real, real), (chosen, other))
        ]
        return distance(counts[0][first_owners], counts[1][second_owners])

    return statistic


def fid(measure: Measure | None) -> SetMetric:
    """The metric. measure: features of a field's windows by the Inception network; None: it was not mounted."""
    return SetMetric(
        name="fid",
        what="Frechet distance of features of a network of photographs; larger for fewer windows, so comparable only "
        "between sets of one size.",
        direction="lower",
        needs_labels=False,
        needs=NEEDS,
        measure=measure or _unmeasured,
        prepare=_distance,
        absent="" if measure else NOT_MOUNTED,
    )


def _unmeasured(_: object) -> Features:
    return np.empty((0, 1))
