"""Metrics on the features of our own segmenter."""

from __future__ import annotations

import numpy as np
import pytest

from services.evaluation.sets.metric import Unavailable
from services.evaluation.sets.segmenter_features import MOST_PER_FIELD, measured_by, segmenter_metrics
from services.segmentation.learned.segmenter import shipped
from tests.unit.evaluation.synthetic_fields import blur, changed, figure, make_fields

FIELDS, OTHERS = make_fields(20), make_fields(20, seed=1)
NAMES = [f"segmenter_{name}" for name in ("kernel_distance", "precision", "recall", "density", "coverage")]


def test_the_network_sees_another_draw_of_one_process_as_near_and_blur_as_far() -> None:
    metrics = {metric.name: metric for metric in segmenter_metrics(shipped("nuclei").describe)}
    assert list(metrics) == NAMES
    distance, coverage = metrics["segmenter_kernel_distance"], metrics["segmenter_coverage"]
    alike, blurred = (figure(distance, FIELDS, other) for other in (OTHERS, changed(OTHERS, blur)))
    assert abs(alike) < 0.1 * blurred
    assert figure(coverage, FIELDS, OTHERS) > 0.5 > figure(coverage, FIELDS, changed(OTHERS, blur))


def test_brightness_is_no_difference_to_it() -> None:
    measure = measured_by(shipped("nuclei").describe)
    dimmed = changed(FIELDS[:1], lambda image: (0.5 * image + 0.1).astype(np.float32))
    first, second = measure(FIELDS[0]), measure(dimmed[0])
    assert np.abs(first - second).max() < 0.05 * np.abs(first).max()


def test_a_field_gives_a_bounded_number_of_windows_and_a_small_one_none() -> None:
    measure = measured_by(lambda windows: np.zeros((len(windows), 3)))
    assert measure(make_fields(1, side=600)[0]).shape == (MOST_PER_FIELD, 3)
    assert len(measure(make_fields(1, side=64)[0])) == 0


def test_without_a_network_the_reason_is_told() -> None:
    for metric in segmenter_metrics(None):
        assert metric.absent == "no network was given"
    with pytest.raises(Unavailable):
        figure(segmenter_metrics(None)[0], FIELDS, OTHERS)
