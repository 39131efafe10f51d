"""Two-sample test: how well a classifier that was trained on other fields tells windows of the two sets apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from services.evaluation.sets.classifier import Classifier, Fold
from services.evaluation.sets.metric import Features, Indices, Measured, Prepare, Statistic
from services.evaluation.sets.windows import MOST_PER_SET, WINDOW_PX, chosen_windows, need_windows

FOLDS = 5


@dataclass(frozen=True, eq=False)
class FieldScores:
    """A score of each window, (n,), NaN for none; which field each is of, (n,); and how many fields there are."""

    scores: NDArray[np.float64]
    owners: Indices
    fields: int


def area_under_roc(real: FieldScores, other: FieldScores, together: NDArray[np.bool_]) -> Statistic:
    """Share of pairs of windows in which the other set's has the higher score, a half for equal ones.

    together: (other windows, real windows), which pairs count.
    """
    wins, pairs = np.zeros((2, other.fields, real.fields))
    above, below = other.scores[:, None], real.scores[None]
    counted = together & np.isfinite(above - below)
    place = (other.owners[:, None], real.owners[None])
    np.add.at(pairs, place, counted)
    np.add.at(wins, place, np.where(counted, (above > below) + 0.5 * (above == below), 0.0))

    def statistic(chosen_real: Indices, chosen: Indices) -> float:
        block = np.ix_(chosen, chosen_real)
        count = pairs[block].sum()
        return float(wins[block].sum() / count) if count else float("nan")

    return statistic


def two_sample_test(classifier: Classifier, seed: int, most: int = MOST_PER_SET, window_px: int = WINDOW_PX) -> Prepare:
    """Area under the ROC of a classifier, cross-validated over fields.

    After Lopez-Paz & Oquab (ICLR, 2017). Five folds by name: the windows of a field, and of its pair in the other set,
    are all in one fold, so that no classifier has seen what it judges. The area is that of pairs of windows in one
    fold: scores of two classifiers have no common scale. Classifiers are fitted once; a choice of fields takes their
    windows' scores as they are. most: windows of a set that are looked at. window_px: their side, for the reason where
    there are too few.
    """

    def prepare(real: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
        need_windows(real, other, side=window_px)
        (first, first_owners), (second, second_owners) = chosen_windows(real, most), chosen_windows(other, most)
        generated = np.repeat([0, 1], [len(first), len(second)])
        names = [real[owner].name for owner in first_owners] + [other[owner].name for owner in second_owners]
        scores, folds = _scores(classifier, np.concatenate([first, second]), generated, _numbers(names), seed)
        together = folds[len(first) :, None] == folds[None, : len(first)]
        return area_under_roc(
            FieldScores(scores[: len(first)], first_owners, len(real)),
            FieldScores(scores[len(first) :], second_owners, len(other)),
            together,
        )

    return prepare


def _scores(
    classifier: Classifier, rows: Features, generated: NDArray[np.intp], groups: NDArray[np.intp], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Of each window: its score by the classifier that has not seen it (NaN: there is none), and its fold."""
    scores, places = np.full(len(rows), np.nan), np.full(len(rows), -1, np.intp)
    splits = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed % 2**32)
    folds = [Fold(train, test) for train, test in splits.split(rows, generated, groups)]
    for number, fold in enumerate(folds):
        places[fold.test] = number
    known = [fold for fold in folds if len(np.unique(generated[fold.train])) == 2]
    for fold, found in zip(known, classifier(rows, generated, known, seed), strict=True):
        scores[fold.test] = found
    return scores, places


def _numbers(names: Sequence[str]) -> NDArray[np.intp]:
    """One number for each name, in the order of their first windows: folds do not depend on what fields are called."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.intp)
