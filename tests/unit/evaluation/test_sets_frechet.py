"""The Frechet distance against closed forms, and FID as a metric."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray

from services.evaluation.sets.field import Field
from services.evaluation.sets.frechet import FrechetDistance, fid
from services.evaluation.sets.metric import Features, Unavailable, everyone
from services.evaluation.sets.windows import cut_windows
from tests.unit.evaluation.synthetic_fields import blur, changed, figure, make_fields, measured


def _points(seed: int, count: int, size: int) -> Features:
    generator = np.random.default_rng(seed)
    mixed = generator.standard_normal((count, size)) @ generator.standard_normal((size, size))
    return np.asarray(mixed + generator.standard_normal(size), np.float64)


def _equally(points: Features) -> NDArray[np.float64]:
    return np.ones(len(points))


def _distance(first: Features, second: Features) -> float:
    return FrechetDistance(first, second)(_equally(first), _equally(second))


def _by_roots_of_matrices(first: Features, second: Features) -> float:
    covariances = [np.cov(points, rowvar=False) for points in (first, second)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    apart = ((first.mean(0) - second.mean(0)) ** 2).sum()
    return float(apart + np.trace(covariances[0] + covariances[1] - 2 * np.real(root)))


def _with_moments(means: list[float], deviations: list[float]) -> Features:
    """Points whose mean and (diagonal) covariance are exactly these: corners of a box, in all combinations."""
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * len(means))).reshape(len(means), -1).T
    return np.asarray(means + corners * deviations * np.sqrt((len(corners) - 1) / len(corners)), np.float64)


def test_it_is_the_closed_form_of_gaussians_with_diagonal_covariances() -> None:
    first, second = _with_moments([0, 1, -2], [1, 2, 3]), _with_moments([1, 1, 0], [2, 2, 0.5])
    assert _distance(first, second) == pytest.approx((1 + 0 + 4) + (1 + 0 + 2.5**2), rel=1e-12)


@pytest.mark.parametrize(("counts", "size"), [((60, 80), 5), ((300, 200), 40)])
def test_it_is_what_roots_of_matrices_give(counts: tuple[int, int], size: int) -> None:
    first, second = (_points(seed, count, size) for seed, count in enumerate(counts))
    assert _distance(first, second) == pytest.approx(_by_roots_of_matrices(first, second), rel=1e-7)


def test_covariances_of_fewer_points_than_features_need_no_rank() -> None:
    first, second = _points(0, 20, 50), _points(1, 30, 50)
    # The textbook's remedy, at a size that hardly changes the sum.
    tiny = 1e-9 * np.eye(50)
    covariances = [np.cov(points, rowvar=False) + tiny for points in (first, second)]
    root = np.real(scipy.linalg.sqrtm(covariances[0] @ covariances[1]))
    expected = ((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert _distance(first, second) == pytest.approx(expected, rel=1e-4)


def test_far_from_zero_it_keeps_its_digits_and_a_set_is_at_no_distance_from_itself() -> None:
    first, second = _points(0, 50, 6), _points(1, 50, 6)
    assert _distance(first + 1e5, second + 1e5) == pytest.approx(_distance(first, second), rel=1e-6)
    assert 0 <= _distance(first, first) < 1e-9
    assert _distance(first, second) == pytest.approx(_distance(second, first), rel=1e-9)


def test_a_point_that_counts_twice_is_there_twice_and_one_that_counts_nothing_is_not() -> None:
    first, second = _points(0, 30, 4), _points(1, 40, 4)
    counts = [np.random.default_rng(seed).integers(0, 3, n).astype(np.float64) for seed, n in ((0, 30), (1, 40))]
    repeated = [
        np.repeat(points, number.astype(int), axis=0) for points, number in zip((first, second), counts, strict=True)
    ]
    assert FrechetDistance(first, second)(*counts) == pytest.approx(_distance(*repeated), rel=1e-9)


def test_one_point_has_no_covariance() -> None:
    assert np.isnan(FrechetDistance(_points(0, 4, 2), _points(1, 4, 2))(np.array([1.0, 0, 0, 0]), np.ones(4)))


def _greys(field: Field) -> Features:
    return np.array([[window.mean(), window.std()] for window in cut_windows(field.image)], np.float64)


def test_the_metric_grows_with_blur_and_is_that_of_the_chosen_fields() -> None:
    metric, real, other = fid(_greys), make_fields(24), make_fields(24, seed=1)
    assert figure(metric, real, changed(other, blur)) > 5 * figure(metric, real, other)
    first, second = measured(metric, real), measured(metric, other)
    chosen = np.array([3, 3, *range(10)])
    repeated = [np.concatenate([each[at].features for at in chosen]) for each in (first, second)]
    assert metric.prepare(first, second)(chosen, chosen) == pytest.approx(_distance(*repeated), rel=1e-9)
    assert metric.prepare(first, second)(everyone(first), everyone(second)) == figure(metric, real, other)


def test_too_few_windows_and_absent_weights_are_said() -> None:
    with pytest.raises(Unavailable, match="at least 20 windows of 128 px in each set; one has 19"):
        figure(fid(_greys), make_fields(19), make_fields(20))
    assert fid(None).absent == "no Inception weights were mounted"
