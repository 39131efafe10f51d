"""The wound of paired fields: how far its width, its area and its closure are off."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from services.common.imaging.labels import Mask
from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import Features, Indices, Measured, SetMetric, Statistic, Unavailable

_Quantity = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def wound_width(wound: Mask) -> float:
    """Mean width in px; 0 where there is no wound, the shorter side of the image where all of it is wound.

    wound: (H, W). In a strip of width w, pixels are w / 4 from its nearer edge on average, whatever its direction and
    however ragged; so four times that mean is the width. Where the image cuts the wound off is no edge.

    >>> wound = np.zeros((6, 9), np.bool_)
    >>> wound[:, 3:7] = True
    >>> wound_width(wound)
    4.0
    """
    if not wound.any():
        return 0.0
    if wound.all():
        return float(min(wound.shape))
    # To the edge between pixels, which is half a pixel nearer than the first one outside.
    return float(4 * (distance_transform_edt(wound)[wound] - 0.5).mean())


def measure_wound(field: Field) -> Features:
    """Width in px and share of the area, (1, 2); no row where the labels have no wound mask."""
    if field.labels is None or field.labels.wound is None:
        return np.empty((0, 2))
    wound = field.labels.wound
    return np.array([[wound_width(wound), float(wound.mean())]])


def _closure(values: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = values[:, 1]
    if len(shares) < 2 or not shares.max():
        raise Unavailable("closure needs two fields with names of both sets, and a wound in each set")
    return np.asarray(1 - shares / shares.max(), np.float64)


def _error_of(quantity: _Quantity) -> Callable[[Sequence[Measured], Sequence[Measured]], Statistic]:
    """Mean absolute difference of the quantity over pairs, fields of one name."""

    def prepare(real: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
        partners = {one.name: one.features[0] for one in real}
        paired = [one.name in partners for one in other]
        if not any(paired):
            raise Unavailable("no field of one set bears the name of one in the other")
        pairs = [(partners[one.name], one.features[0]) for one in other if one.name in partners]
        truth, found = (quantity(np.stack(side)) for side in zip(*pairs, strict=True))
        errors = np.full(len(other), np.nan)
        errors[paired] = np.abs(truth - found)

        def statistic(_: Indices, chosen: Indices) -> float:
            here = errors[chosen]
            return float(here[~np.isnan(here)].mean()) if not np.isnan(here).all() else float("nan")

        return statistic

    return prepare


def _metric(name: str, what: str, quantity: _Quantity) -> SetMetric:
    return SetMetric(
        name=name,
        what=what,
        direction="lower",
        needs_labels=True,
        needs="a wound among its labels",
        measure=measure_wound,
        prepare=_error_of(quantity),
        floors=("shuffled_labels",),
    )


WOUND_METRICS = (
    _metric("wound_width_error", "How far the wound's width is off, in px, field by field.", lambda rows: rows[:, 0]),
    _metric(
        "wound_area_error",
        "How far the wound's share of the image is off, field by field.",
        lambda rows: rows[:, 1],
    ),
    _metric(
        "wound_closure_error",
        "How far closure is off: one less the wound's area over the largest of its set, field by field.",
        _closure,
    ),
)
