"""What a classifier of pixels is given, and what is made of its scores; here one that goes by the mean grey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from services.evaluation.sets.classifier import NEEDS_TORCH, Fold
from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import Unavailable
from services.evaluation.sets.pixel_discriminability import measure_pixels, pixel_discriminability
from tests.unit.evaluation.synthetic_fields import changed, compare_sets, figure, make_fields


class Brightness:
    """Finds bright windows generated; keeps what it was given."""

    versions: Mapping[str, str] = {"brightness": "1"}

    def __init__(self) -> None:
        self.given: list[tuple[NDArray[np.float32], NDArray[np.intp], Sequence[Fold]]] = []

    def __call__(
        self, windows: NDArray[np.float32], generated: NDArray[np.intp], folds: Sequence[Fold], seed: int
    ) -> list[NDArray[np.float64]]:
        self.given.append((windows, generated, folds))
        return [windows[fold.test].mean((1, 2), dtype=np.float64) for fold in folds]


def _numbered(count: int, generated: bool) -> list[Field]:
    """Fields of four windows, each with its field's number as its grey."""
    greys = np.arange(count) + count * generated
    return [
        Field(str(number), np.full((128, 128), grey / 255, np.float32))
        for number, grey in zip(range(count), greys, strict=True)
    ]


def test_the_area_is_that_of_the_classifiers_scores() -> None:
    real, brighter = _numbered(10, False), _numbered(10, True)
    metric = pixel_discriminability(Brightness(), 0)
    assert figure(metric, real, brighter) == 1.0
    assert figure(metric, brighter, real) == 0.0
    assert figure(metric, real, real) == 0.5


def test_no_classifier_judges_a_field_whose_windows_or_whose_pairs_it_was_trained_on() -> None:
    classifier, real, other = Brightness(), _numbered(10, False), _numbered(10, True)
    figure(pixel_discriminability(classifier, 0), real, other)
    [(windows, generated, folds)] = classifier.given
    names = np.rint(windows[:, 0, 0] * 255).astype(int) % 10
    assert len(folds) == 5
    assert sorted(at for fold in folds for at in fold.test) == list(range(80))
    for fold in folds:
        assert not set(names[fold.train]) & set(names[fold.test])
        assert set(generated[fold.train]) == set(generated[fold.test]) == {0, 1}


def test_it_is_given_the_pixels_of_a_few_windows_of_each_field() -> None:
    classifier, fields = Brightness(), make_fields(6, side=256)
    figure(pixel_discriminability(classifier, 0), fields, changed(fields, lambda image: image * np.float32(0.5)))
    [(windows, generated, _)] = classifier.given
    assert windows.shape == (2 * 6 * 8, 64, 64) and windows.dtype == np.float32
    assert generated.tolist() == [0] * 48 + [1] * 48
    image = fields[0].image
    assert np.array_equal(windows[0], image[:64, :64]) and np.array_equal(windows[7], image[-64:, -64:])
    assert len(measure_pixels(make_fields(1, side=63)[0])) == 0


def test_a_reason_stands_where_there_is_no_classifier_or_too_little_to_judge() -> None:
    few, small = make_fields(5), make_fields(5, side=64)
    for given, reason in (
        ({}, "was not asked for"),
        ({"pixel_classifier": NEEDS_TORCH}, "needs torch: the `training`"),
    ):
        figures = {one.name: one for one in compare_sets(few, few, resamples=0, **given).figures}
        assert figures["discriminability_cnn"].value is None
        assert reason in figures["discriminability_cnn"].unavailable
    with pytest.raises(Unavailable, match="at least 20 windows of 64 px in each set; one has 5"):
        figure(pixel_discriminability(Brightness(), 0), small, small)


def test_in_a_comparison_it_has_an_interval_a_ceiling_and_floors() -> None:
    fields = make_fields(10)
    report = compare_sets(
        fields, changed(fields, lambda image: 0.7 * image), resamples=20, pixel_classifier=Brightness()
    )
    [found] = [one for one in report.figures if one.name == "discriminability_cnn"]
    assert found.value is not None and found.value < 0.1
    assert found.interval is not None and found.interval[0] <= found.value <= found.interval[1]
    assert found.ceiling is not None and set(found.floors) == {"blurred", "flat_paint"}
