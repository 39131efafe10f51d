"""Discriminability: how well boosted trees that were trained on other fields tell windows of the two sets apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from services.evaluation.sets.classifier import Fold
from services.evaluation.sets.metric import Features, SetMetric
from services.evaluation.sets.two_sample import FOLDS, two_sample_test
from services.evaluation.sets.window_features import NEEDS, measure_windows


def boosted_trees(
    rows: Features, generated: NDArray[np.intp], folds: Sequence[Fold], seed: int
) -> list[NDArray[np.float64]]:
    """The `Classifier` of window features."""
    scores = []
    for fold in folds:
        # Small: a few hundred windows, and twelve fits or so of each five for one figure with its bounds.
        trees = HistGradientBoostingClassifier(
            max_iter=60, max_leaf_nodes=8, min_samples_leaf=5, early_stopping=False, random_state=seed % 2**32
        ).fit(rows[fold.train], generated[fold.train])
        scores.append(np.asarray(trees.predict_proba(rows[fold.test])[:, 1], np.float64))
    return scores


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
        prepare=two_sample_test(boosted_trees, seed),
        scale="linear",
        least_fields=FOLDS,
    )
