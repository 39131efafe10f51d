from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import linregress

from services.segmentation.closure import closure_percent, early_phase, half_closing_hours, mean, slope


def test_the_rate_is_that_of_ordinary_least_squares() -> None:
    rng = np.random.default_rng(0)
    hours, values = np.arange(8.0), rng.normal(0, 1, 8)
    found, expected = slope(hours, values), linregress(hours, values)
    assert found is not None and found.low is not None and found.high is not None
    assert found.value == pytest.approx(expected.slope)
    assert (found.high - found.low) / 2 == pytest.approx(2.446912 * expected.stderr)  # t(0.975, 6)


def test_the_interval_holds_the_true_rate_in_95_of_100_series() -> None:
    rng, hours, held = np.random.default_rng(1), np.arange(6.0), 0
    for _ in range(1000):
        found = slope(hours, 3 * hours + rng.normal(0, 2, 6))
        assert found is not None and found.low is not None and found.high is not None
        held += found.low <= 3 <= found.high
    assert 930 <= held <= 970


def test_one_frame_has_no_rate_and_two_have_no_interval() -> None:
    assert slope(np.array([1.0]), np.array([5.0])) is None
    found = slope(np.array([0.0, 2.0]), np.array([1.0, 5.0]))
    assert found is not None and (found.value, found.low, found.high) == (2, None, None)


@pytest.mark.parametrize(
    ("closure", "frames"),
    [
        ([0, 10, 20], 3),
        ([0, 30, 60, 90, 100], 3),
        ([0, 50, 60], 2),
        ([0, 100, 100], 1),
        ([0, -5, 40, 100], 3),
        ([0], 1),
    ],
)
def test_the_early_phase_ends_with_the_first_half_closed_frame_and_holds_no_closed_one(
    closure: list[float], frames: int
) -> None:
    assert early_phase(np.array(closure, np.float64)) == frames


def test_closure_is_of_the_first_area_and_below_zero_where_the_wound_grows() -> None:
    assert closure_percent([200, 220, 50, 0]).tolist() == [0, pytest.approx(-10), 75, 100]


def test_half_closing_lies_between_frames_even_across_a_gap() -> None:
    hours = np.array([0.0, 1.0, 5.0])
    assert half_closing_hours(hours, np.array([0.0, 40.0, 60.0])) == pytest.approx(3.0)
    assert half_closing_hours(hours, np.array([0.0, 40.0, 49.9])) is None


def test_a_mean_of_several_has_students_interval() -> None:
    found = mean([1.0, 2.0, 3.0])
    assert found.low is not None
    assert (found.value, found.n) == (2, 3)
    assert 2 - found.low == pytest.approx(4.302653 / np.sqrt(3))  # t(0.975, 2)
