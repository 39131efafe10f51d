"""Kernel distance of features of windows: whether two sets come from one distribution; KID on other features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.evaluation.sets.metric import Features, Indices, Measure, Measured, SetMetric, Statistic
from services.evaluation.sets.window_features import NEEDS, standardised
from services.evaluation.sets.windows import chosen_windows


def polynomial_kernel(first: Features, second: Features) -> NDArray[np.float64]:
    """(x . y / d + 1)^3 of all pairs; (n, d) and (m, d) to (n, m)."""
    return np.asarray((first @ second.T / first.shape[1] + 1.0) ** 3, np.float64)


def compare_windows(real: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
    """Squared maximum mean discrepancy, unbiased: about 0, on either side, where the distributions are equal.

    After Binkowski et al. (ICLR, 2018) with the U-statistic of Gretton et al. (JMLR 13, 723, 2012). Features are
    standardised by the real set's. Pairs of windows with one field's name count nowhere, within sets and between:
    windows of a field, or of a pair, are alike for that reason, and a field that is chosen twice is its own copy.
    """
    (first, first_owners), (second, second_owners) = chosen_windows(real), chosen_windows(other)
    first, second = standardised(first, first), standardised(second, first)
    names, other_names = np.array([one.name for one in real]), np.array([one.name for one in other])
    within = _Blocks(polynomial_kernel(first, first), first_owners, first_owners, names, names)
    among = _Blocks(polynomial_kernel(second, second), second_owners, second_owners, other_names, other_names)
    between = _Blocks(polynomial_kernel(first, second), first_owners, second_owners, names, other_names)

    def statistic(chosen_real: Indices, chosen: Indices) -> float:
        return (
            within.mean(chosen_real, chosen_real) + among.mean(chosen, chosen) - 2 * between.mean(chosen_real, chosen)
        )

    return statistic


class _Blocks:
    """Sums of a kernel matrix over pairs of fields with two names, so that a choice of fields is a sum of few."""

    def __init__(
        self,
        kernel: NDArray[np.float64],
        row_owners: Indices,
        column_owners: Indices,
        row_names: NDArray[np.str_],
        column_names: NDArray[np.str_],
    ) -> None:
        differ = row_names[:, None] != column_names[None]
        rows, columns = (
            np.eye(len(names))[own] for names, own in ((row_names, row_owners), (column_names, column_owners))
        )
        self._sums = (rows.T @ kernel @ columns) * differ
        self._counts = np.outer(rows.sum(0), columns.sum(0)) * differ

    def mean(self, rows: Indices, columns: Indices) -> float:
        block = np.ix_(rows, columns)
        count = self._counts[block].sum()
        return float(self._sums[block].sum() / count) if count else float("nan")


def kernel_distance(prefix: str, by: str, measure: Measure, absent: str = "") -> SetMetric:
    """The metric on features of windows. prefix: of its name; by: whose features, in words."""
    return SetMetric(
        name=f"{prefix}_kernel_distance",
        what=f"How far windows are from real ones as a distribution, by {by}; about 0 where it is the same.",
        direction="lower",
        needs_labels=False,
        needs=NEEDS,
        measure=measure,
        prepare=compare_windows,
        least_fields=2,
        absent=absent,
    )
