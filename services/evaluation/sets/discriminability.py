"""Discriminability: how well a classifier that was trained on other fields tells windows of the two sets apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold

from services.evaluation.sets.metric import Features, Indices, Measured, Prepare, SetMetric, Statistic
from services.evaluation.sets.window_features import NEEDS, measure_windows
from services.evaluation.sets.windows import chosen_windows, need_windows

FOLDS = 5


def classify(seed: int) -> Prepare:
    """Area under the ROC of boosted trees, cross-validated over fields.

    A classifier two-sample test (Lopez-Paz & Oquab, ICLR, 2017). Five folds by name: the windows of a field, and of its
    pair in the other set, are all in one fold, so that no classifier has seen what it judges. The area is that of pairs
    of windows in one fold: scores of two classifiers have no common scale. Trees are fitted once; a choice of fields
    takes their windows' scores as they are.
    """

    def prepare(real: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
        need_windows(real, other)
        (first, first_owners), (second, second_owners) = chosen_windows(real), chosen_windows(other)
        features = np.concatenate([first, second])
        generated = np.repeat([0, 1], [len(first), len(second)])
        names = [real[owner].name for owner in first_owners] + [other[owner].name for owner in second_owners]
        scores, folds = _scores(features, generated, _numbers(names), seed)
        wins, pairs = np.zeros((2, len(other), len(real)))
        above, below = scores[len(first) :, None], scores[None, : len(first)]
        together = (folds[len(first) :, None] == folds[None, : len(first)]) & np.isfinite(above - below)
        place = (second_owners[:, None], first_owners[None])
        np.add.at(pairs, place, together)
        np.add.at(wins, place, np.where(together, (above > below) + 0.5 * (above == below), 0.0))

        def statistic(chosen_real: Indices, chosen: Indices) -> float:
            block = np.ix_(chosen, chosen_real)
            count = pairs[block].sum()
            return float(wins[block].sum() / count) if count else float("nan")

        return statistic

    return prepare


def _scores(
    features: Features, generated: NDArray[np.intp], groups: NDArray[np.intp], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Of each window: its score by the trees that have not seen it (NaN: there are none), and its fold."""
    scores, folds = np.full(len(features), np.nan), np.full(len(features), -1, np.intp)
    splits = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed % 2**32)
    for fold, (train, test) in enumerate(splits.split(features, generated, groups)):
        folds[test] = fold
        if len(np.unique(generated[train])) == 2:
            trees = _trees(seed).fit(features[train], generated[train])
            scores[test] = trees.predict_proba(features[test])[:, 1]
    return scores, folds


def _trees(seed: int) -> HistGradientBoostingClassifier:
    # Small: a few hundred windows, and twelve fits or so of each five for one figure with its bounds.
    return HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=8, min_samples_leaf=5, early_stopping=False, random_state=seed % 2**32
    )


def _numbers(names: Sequence[str]) -> NDArray[np.intp]:
    """One number for each name, in the order of their first windows: folds do not depend on what fields are called."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.intp)


def discriminability(seed: int) -> SetMetric:
    """The metric, with this seed for folds and trees."""
    return SetMetric(
        name="discriminability",
        what="How well boosted trees tell windows of the sets apart (area under the ROC): 0.5 not at all, 1 always; "
        "far below 0.5, fields of one set are in the other under other names.",
        direction="two-sided",
        needs_labels=False,
        needs=NEEDS,
        measure=measure_windows,
        prepare=classify(seed),
        scale="linear",
        least_fields=FOLDS,
    )
