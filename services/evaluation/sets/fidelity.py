"""Label fidelity: a fixed judge, such as a segmenter that was tuned on real images, against the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels
from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import (
    Features,
    Indices,
    Measure,
    Measured,
    Prepare,
    SetMetric,
    Statistic,
    mean_of_chosen,
)
from services.evaluation.sets.objects import numbered
from services.evaluation.sets.overlaps import find_overlaps


@dataclass(frozen=True, eq=False)
class Judge:
    """Finds objects of one part, `cells` or `nuclei`, in an image (H, W); held against the labels of that part."""

    part: str
    find: Callable[[NDArray[np.uint8]], Labels]


_COLUMNS = 8  # AP50, mean AP, AJI, Dice; numbers of objects missed, merged, split, and of all
_NO_JUDGE = "no judge was given"


def judged_by(judge: Judge) -> Measure:
    """How a judge's labels of an image agree with the field's of its part: (1, 8), no row without such labels."""

    def measure(field: Field) -> Features:
        labels: Labels | None = getattr(field.labels, judge.part, None)
        if labels is None:
            return np.empty((0, _COLUMNS))
        return agreement(numbered(labels).astype(np.int32), judge.find(np.rint(field.image * 255).astype(np.uint8)))

    return measure


def agreement(true: Labels, found: Labels) -> Features:
    """AP50, mean AP, AJI, Dice, and the numbers of true objects missed, merged, split and of all: (1, 8).

    true, found: (H, W), 0 = background. Raises InvalidArgument for two sizes.
    """
    overlaps = find_overlaps(true, found)
    precision = overlaps.average_precision()
    counts = (overlaps.missed, overlaps.merged, overlaps.split, len(overlaps.true_areas))
    return np.array([[precision[0], precision.mean(), overlaps.aji, overlaps.dice, *counts]], np.float64)


def mean_of(column: int) -> Prepare:
    """The other set's mean over fields of a column of `agreement`: what is real lies in the ceiling."""

    def prepare(_: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
        return mean_of_chosen(np.array([one.features[0, column] for one in other]))

    return prepare


def share_of(column: int) -> Prepare:
    """The other set's number of the objects that a column of `agreement` counts, over its number of objects."""

    def prepare(_: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
        counts, totals = (np.array([one.features[0, place] for one in other]) for place in (column, _COLUMNS - 1))

        def statistic(_: Indices, chosen: Indices) -> float:
            total = totals[chosen].sum()
            return float(counts[chosen].sum() / total) if total else float("nan")

        return statistic

    return prepare


_FIGURES = (
    ("fidelity_ap50", "Average precision at IoU 0.5 of the judge's objects against the labels.", mean_of(0)),
    ("fidelity_mean_ap", "Mean average precision at IoU 0.5 to 0.95 of the judge's objects.", mean_of(1)),
    ("fidelity_aji", "Aggregated Jaccard index of the judge's objects.", mean_of(2)),
    ("fidelity_dice", "Overlap (Dice) of the judge's foreground with the labels'.", mean_of(3)),
    ("fidelity_missed", "Objects that the judge does not find, for each object there is.", share_of(4)),
    ("fidelity_merged", "Objects that the judge finds as one with another, for each object there is.", share_of(5)),
    ("fidelity_split", "Objects that the judge finds in pieces, for each object there is.", share_of(6)),
)


def fidelity_metrics(judge: Judge | None) -> tuple[SetMetric, ...]:
    """The metrics for a judge, which sees each image once; None: there are none.

    They are two-sided: a judge that does better on generated images than on real ones says that they are too easy.
    """
    measure = judged_by(judge) if judge else _unjudged
    return tuple(
        SetMetric(
            name=name,
            what=f"{what} Far above or below real images' own figure is unlike them.",
            direction="two-sided",
            of_one_set=True,
            needs_labels=True,
            needs=f"labels of {judge.part if judge else 'objects'}",
            measure=measure,
            prepare=prepare,
            scale="linear",
            floors=("blurred", "flat_paint", "shuffled_labels"),
            absent="" if judge else _NO_JUDGE,
        )
        for name, what, prepare in _FIGURES
    )


def _unjudged(_: Field) -> Features:
    return np.empty((0, _COLUMNS))
