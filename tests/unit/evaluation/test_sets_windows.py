"""What windows tell: discriminability, precision, recall, density, coverage, kernel distance."""

from __future__ import annotations

import numpy as np
import pytest

from services.evaluation.sets.coverage import coverage_metrics, neighbourhoods
from services.evaluation.sets.discriminability import discriminability
from services.evaluation.sets.field import Field
from services.evaluation.sets.kernel_distance import kernel_distance
from services.evaluation.sets.metric import Measured, SetMetric, Unavailable
from services.evaluation.sets.window_features import FEATURES, measure_windows, window_features
from tests.unit.evaluation.synthetic_fields import blur, changed, figure, make_fields, measured

AUC = discriminability(seed=0)
COVERAGE_METRICS = coverage_metrics("window", "features of windows", measure_windows)
WINDOW_KERNEL_DISTANCE = kernel_distance("window", "features of windows", measure_windows)
PRECISION, RECALL, DENSITY, COVERAGE = COVERAGE_METRICS
FIELDS, OTHERS = make_fields(20), make_fields(20, seed=1)
# All of these metrics look at the same features of windows.
REAL, ALIKE, BLURRED = (measured(AUC, fields) for fields in (FIELDS, OTHERS, changed(OTHERS, blur)))
WINDOW_METRICS = (AUC, *COVERAGE_METRICS, WINDOW_KERNEL_DISTANCE)


def test_features_are_finite_also_of_windows_of_one_grey_and_of_noise() -> None:
    for image in (np.zeros((128, 128)), np.ones((128, 128)), np.random.default_rng(0).random((128, 128))):
        found = window_features(image.astype(np.float32))
        assert found.shape == (FEATURES,)
        assert np.isfinite(found).all()
    assert measure_windows(make_fields(1, side=260)[0]).shape == (4, FEATURES)


def test_trees_do_not_tell_two_draws_of_one_process_but_tell_blur() -> None:
    assert AUC.compare(REAL, REAL) == 0.5
    assert abs(AUC.compare(REAL, ALIKE) - 0.5) < 0.25
    assert AUC.compare(REAL, BLURRED) >= 0.95


def test_windows_of_one_field_are_never_on_both_sides() -> None:
    # Each field has a mark of its own: whoever saw another of its windows would know the set by it.
    generator = np.random.default_rng(0)
    real, other = (
        [Measured(f"{name}{number}", np.tile(generator.random((1, 3)), (8, 1))) for number in range(12)]
        for name in ("a", "b")
    )
    assert AUC.compare(real, other) < 0.75


def test_a_pair_is_in_one_fold() -> None:
    # The generated windows are copies of their partners: a classifier that saw a partner would say "real".
    real = [Measured(str(number), np.random.default_rng(number).random((4, 3))) for number in range(10)]
    assert AUC.compare(real, real) == 0.5


def test_the_area_is_the_same_again_and_for_the_chosen_fields_alone() -> None:
    assert AUC.compare(REAL, ALIKE) == AUC.compare(REAL, ALIKE)
    statistic = AUC.prepare(REAL, ALIKE)
    assert 0.0 <= statistic(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 5])) <= 1.0


def test_a_set_covers_itself_and_blurred_images_cover_nothing() -> None:
    assert [metric.compare(REAL, REAL) for metric in COVERAGE_METRICS] == pytest.approx([1.0, 1.0, 1.0, 1.0])
    assert all(metric.compare(REAL, ALIKE) > 0.5 for metric in COVERAGE_METRICS)
    assert max(metric.compare(REAL, BLURRED) for metric in (PRECISION, DENSITY, COVERAGE)) < 0.1


def test_noise_lies_nowhere_near_real_windows_though_some_of_them_are_odd() -> None:
    draw = np.random.default_rng(0)
    odd = [*FIELDS[:-1], Field("odd", (draw.random((128, 128), np.float32) > 0.5).astype(np.float32))]
    noise = [Field(str(number), draw.random((128, 128), np.float32)) for number in range(20)]
    assert PRECISION.compare(measured(PRECISION, odd), measured(PRECISION, noise)) < 0.1


def test_a_set_of_one_image_is_precise_but_covers_little() -> None:
    copies = [Measured(str(number), REAL[0].features) for number in range(20)]
    assert PRECISION.compare(REAL, copies) == 1.0
    assert max(RECALL.compare(REAL, copies), COVERAGE.compare(REAL, copies)) < 0.7


def test_neighbourhoods_are_those_of_a_worked_example() -> None:
    real = np.arange(7.0)[:, None]  # the radius, to the 5th neighbour, is 3 in the middle and 5 at the ends
    found = neighbourhoods(real, np.array([[3.5], [11.0], [11.5], [12.0], [12.5], [13.0]]))
    assert found.real_radii.tolist() == [5.0, 4.0, 3.0, 3.0, 3.0, 4.0, 5.0]
    assert found.precision().tolist() == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert found.density()[0] == 7 / 5
    assert found.coverage().tolist() == [1.0] * 7
    assert found.recall().tolist() == [1.0] * 7  # the radius of 3.5 reaches to 13


def test_the_kernel_distance_is_0_to_oneself_small_to_another_draw_and_large_to_blur() -> None:
    alike, blurred = (WINDOW_KERNEL_DISTANCE.compare(REAL, other) for other in (ALIKE, BLURRED))
    assert WINDOW_KERNEL_DISTANCE.compare(REAL, REAL) == pytest.approx(0.0, abs=1e-9)
    assert abs(alike) < 1.0 < 10 < blurred


def test_the_kernel_distance_is_unbiased() -> None:
    generator = np.random.default_rng(0)
    found = []
    for _ in range(60):
        real, other = (
            [Measured(f"{name}{number}", generator.normal(size=(3, 4))) for number in range(8)] for name in "ab"
        )
        found.append(WINDOW_KERNEL_DISTANCE.compare(real, other))
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(60)


@pytest.mark.parametrize("metric", WINDOW_METRICS, ids=lambda metric: metric.name)
def test_order_and_names_do_not_matter(metric: SetMetric) -> None:
    first = metric.compare(REAL, ALIKE)
    second = metric.compare(_renamed(REAL), _renamed(ALIKE))
    # Folds are drawn by the order of fields, which compare_sets settles.
    assert second == pytest.approx(first, abs=0.15 if metric is AUC else 1e-9)


@pytest.mark.parametrize("metric", WINDOW_METRICS, ids=lambda metric: metric.name)
def test_small_fields_and_too_few_fields_have_a_reason(metric: SetMetric) -> None:
    with pytest.raises(Unavailable, match="with 128 x 128 px in each set; the real set has 0"):
        figure(metric, make_fields(6, side=64), OTHERS)
    with pytest.raises(Unavailable, match="needs"):
        figure(metric, FIELDS[:1], OTHERS[:1])


def _renamed(sets: list[Measured]) -> list[Measured]:
    return [Measured(f"other-{one.name}", one.features) for one in reversed(sets)]
