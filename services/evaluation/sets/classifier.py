"""What a classifier of two sets is: of features of windows, or of their pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.evaluation.sets.metric import Features, Indices

# Why there may be no classifier of pixels.
NEEDS_TORCH = "needs torch: the `training` extra"
NOT_ASKED = "was not asked for, since it takes minutes: `biosynth evaluate --cnn`"


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows that a classifier is trained on, and rows of other fields that it then judges."""

    train: Indices
    test: Indices


class Classifier(Protocol):
    """Learns to tell rows of a generated set from those of a real one, anew for each fold."""

    def __call__(
        self, rows: Features, generated: NDArray[np.intp], folds: Sequence[Fold], seed: int
    ) -> Sequence[NDArray[np.float64]]:
        """Scores of each fold's test rows, higher for what looks generated; only their order in a fold counts.

        rows: (n, d). generated: (n,), 1 for rows of the generated set, 0 for real ones; each fold trains on both.
        """


class PixelClassifier(Protocol):
    """The same of windows, by their pixels. It is made elsewhere (services/training/judge) and handed in."""

    @property
    def versions(self) -> Mapping[str, str]:
        """What its scores depend on, by name."""

    def __call__(
        self, windows: NDArray[np.float32], generated: NDArray[np.intp], folds: Sequence[Fold], seed: int
    ) -> Sequence[NDArray[np.float64]]:
        """As `Classifier`, of windows (n, S, S) on 0..1; the same bytes again for a seed."""
