"""What generators leave behind: lattices, seams, copies; and wounds of another width."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluation.sets.lattice import LATTICE_SCORE
from services.evaluation.sets.memorisation import memorisation
from services.evaluation.sets.metric import SetMetric, Unavailable
from services.evaluation.sets.seam import seam_metric, seam_ratio
from services.evaluation.sets.wound import WOUND_METRICS, wound_width
from tests.unit.evaluation.synthetic_fields import (
    changed,
    figure,
    make_fields,
    measured,
    paint_lattice,
    renamed,
    with_wounds,
)

REAL, ALIKE = make_fields(20), make_fields(20, seed=1)
WIDTH, AREA, CLOSURE = WOUND_METRICS


def test_the_lattice_score_is_about_1_without_a_lattice_and_rises_with_one() -> None:
    assert figure(LATTICE_SCORE, REAL, ALIKE) == pytest.approx(1.0, abs=0.35)
    assert figure(LATTICE_SCORE, REAL, changed(ALIKE, paint_lattice)) > 5


@pytest.mark.parametrize("period", [2, 4, 8])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_lattice_is_found_at_each_period_and_along_each_axis(period: int, axis: int) -> None:
    wave = np.cos(2 * np.pi * np.arange(128) / period).astype(np.float32)
    lattice = 0.04 * np.broadcast_to(wave[:, None] if axis == 0 else wave, (128, 128))
    waved = changed(ALIKE, lambda image: image + lattice)
    peaks = np.mean([one.features[0] for one in measured(LATTICE_SCORE, waved)], 0)
    assert peaks.argmax() == 3 * axis + (2, 4, 8).index(period)
    assert figure(LATTICE_SCORE, REAL, waved) == pytest.approx(10 ** peaks.max())


def test_a_lattice_of_another_period_is_none() -> None:
    wave = 0.04 * np.cos(2 * np.pi * np.arange(128) / 5.2).astype(np.float32)
    assert figure(LATTICE_SCORE, REAL, changed(ALIKE, lambda image: image + wave)) < 2


def test_steps_where_tiles_meet_raise_the_seam_score() -> None:
    metric = seam_metric(32)
    steps = np.where(np.arange(128) // 32 % 2, 0.06, 0.0).astype(np.float32)
    assert figure(metric, REAL, ALIKE) == pytest.approx(1.0, abs=0.1)
    assert figure(metric, REAL, changed(ALIKE, lambda image: image + steps)) > 1.3


def test_seams_need_tiles_smaller_than_the_image_and_a_known_side() -> None:
    assert seam_metric(None).absent == "the side of the tiles was not given"
    assert seam_metric(32).absent == ""
    assert np.isnan(seam_ratio(REAL[0].image, 128))
    assert np.isnan(seam_ratio(np.full((9, 9), 0.5, np.float32), 3))
    with pytest.raises(Unavailable, match="more than 128 px"):
        figure(seam_metric(128), REAL, ALIKE)


def test_copies_of_training_images_are_told_from_new_images() -> None:
    train = make_fields(20, seed=2)
    metric = memorisation([])
    assert metric.absent == "no training set was given"
    metric = memorisation(measured(metric, train))
    assert metric.absent == ""
    assert figure(metric, REAL, ALIKE) <= 0.1
    half = [*train[:10], *(replace(field, name=f"new-{field.name}") for field in ALIKE[:10])]
    assert figure(metric, REAL, half) >= 0.5
    assert figure(metric, REAL, train) == 1.0
    assert figure(metric, renamed(REAL), renamed(half)) == figure(metric, REAL, half)


def test_memorisation_needs_windows_of_real_and_of_training_images() -> None:
    metric = memorisation(measured(memorisation([]), make_fields(2, seed=2)))
    with pytest.raises(Unavailable, match="at least 20 windows of 128 px in each set; one has 5"):
        figure(metric, REAL[:5], ALIKE)
    small = memorisation(measured(metric, make_fields(2, side=64)))
    with pytest.raises(Unavailable, match="no training field"):
        figure(small, REAL, ALIKE)


@given(st.integers(1, 30), st.booleans())
def test_the_width_of_a_strip_is_its_width_along_either_axis(half: int, across: bool) -> None:
    wound = np.zeros((90, 100), np.bool_)
    wound[:, 20 : 20 + 2 * half] = True
    assert wound_width(wound.T if across else wound) == pytest.approx(2 * half)


def test_the_width_of_an_oblique_strip_is_that_across_it() -> None:
    y, x = np.mgrid[:300, :300]
    for angle in (0.3, 0.8, 1.2):
        wound = np.abs((x - 150) * np.cos(angle) + (y - 150) * np.sin(angle)) < 20
        assert wound_width(wound) == pytest.approx(40, rel=0.06)


def test_no_wound_has_no_width_and_nothing_but_wound_that_of_the_image() -> None:
    assert wound_width(np.zeros((9, 5), np.bool_)) == 0.0
    assert wound_width(np.ones((9, 5), np.bool_)) == 5.0


def test_wound_errors_are_means_over_pairs_whatever_their_order() -> None:
    fields = make_fields(4, side=64)
    real, other = with_wounds(fields, (40, 30, 20, 10)), with_wounds(fields, (40, 30, 16, 4))
    assert [figure(metric, real, real) for metric in WOUND_METRICS] == [0.0, 0.0, 0.0]
    assert figure(WIDTH, real, other) == pytest.approx((4 + 6) / 4)
    assert figure(AREA, real, other) == pytest.approx((4 + 6) / 4 / 64)
    assert figure(CLOSURE, real, other) == pytest.approx((4 + 6) / 4 / 40)
    assert figure(WIDTH, renamed(real), renamed(other)) == figure(WIDTH, real, other)
    # Fields without a partner say nothing about errors.
    assert figure(WIDTH, real[:3], other) == pytest.approx(4 / 3)


@pytest.mark.parametrize("metric", WOUND_METRICS, ids=lambda metric: metric.name)
def test_a_wound_is_needed_and_a_partner_of_the_same_name(metric: SetMetric) -> None:
    wounds = with_wounds(make_fields(2, side=64), (40, 30))
    with pytest.raises(Unavailable, match="a wound among its labels in each set; the real set has 0"):
        figure(metric, REAL, wounds)
    with pytest.raises(Unavailable, match="bears the name"):
        figure(metric, wounds, renamed(wounds))


def test_closure_needs_two_pairs_and_a_wound_to_close() -> None:
    fields = make_fields(2, side=64)
    for widths in ((40,), (0, 0)):
        wounds = with_wounds(fields[: len(widths)], widths)
        with pytest.raises(Unavailable, match="closure needs"):
            figure(CLOSURE, wounds, wounds)
