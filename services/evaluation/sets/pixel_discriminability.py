"""Discriminability by pixels: the two-sample test by a network, for those who have one (services/training/judge)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.evaluation.sets.classifier import Fold, PixelClassifier
from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import Features, Prepare, SetMetric, Unavailable
from services.evaluation.sets.two_sample import FOLDS, two_sample_test
from services.evaluation.sets.windows import cut_windows

# A quarter of the area of other windows: for the same time, the network learns more from four times as many of them.
PIXEL_WINDOW_PX = 64
# Of a field and of a set; a field's pixels are kept until all sets are measured, 256 kB of each.
MOST_PER_FIELD, MOST_PER_SET = 8, 400


def measure_pixels(field: Field) -> Features:
    """The pixels of at most 8 windows of 64 x 64 px, (n, 4096); n is 0 for a smaller field."""
    rows = [window.ravel() for window in cut_windows(field.image, PIXEL_WINDOW_PX, MOST_PER_FIELD)]
    return np.stack(rows).astype(np.float64) if rows else np.empty((0, PIXEL_WINDOW_PX**2))


def pixel_discriminability(classifier: PixelClassifier | str, seed: int) -> SetMetric:
    """The metric, with this seed for folds and network. classifier: or the reason why there is none."""
    return SetMetric(
        name="discriminability_cnn",
        what="How well a small network tells windows of the sets apart by their pixels (area under the ROC): 0.5 not "
        "at all, 1 always; far below 0.5, fields of one set are in the other under other names.",
        direction="two-sided",
        needs_labels=False,
        needs=f"{PIXEL_WINDOW_PX} x {PIXEL_WINDOW_PX} px",
        measure=measure_pixels,
        prepare=_by_pixels(classifier, seed),
        scale="linear",
        least_fields=FOLDS,
        absent=classifier if isinstance(classifier, str) else "",
    )


def _by_pixels(classifier: PixelClassifier | str, seed: int) -> Prepare:
    def classify(
        rows: Features, generated: NDArray[np.intp], folds: Sequence[Fold], seed: int
    ) -> Sequence[NDArray[np.float64]]:
        if isinstance(classifier, str):
            raise Unavailable(classifier)
        windows = rows.astype(np.float32).reshape(-1, PIXEL_WINDOW_PX, PIXEL_WINDOW_PX)
        return classifier(windows, generated, folds, seed)

    return two_sample_test(classify, seed, MOST_PER_SET, PIXEL_WINDOW_PX)
