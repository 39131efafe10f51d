"""Intervals, ceilings, floors and verdicts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.common.imaging.noise import noise_deviation
from services.evaluation.sets.bootstrap import bootstrap_interval
from services.evaluation.sets.degraded import FLOORS
from services.evaluation.sets.field import Field, FieldSet
from services.evaluation.sets.floors import floor_for, measure_ceiling, verdict
from services.evaluation.sets.lattice import LATTICE_SCORE
from services.evaluation.sets.metric import Direction, Indices, Scale, Statistic
from services.evaluation.sets.objects import object_greys
from services.evaluation.sets.radial_spectrum import SPECTRUM_DISTANCE
from tests.unit.evaluation.synthetic_fields import figure, make_fields, measured


def _names(count: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def _mean_of(values: NDArray[np.float64]) -> Statistic:
    return lambda _, chosen: float(values[chosen].mean())


def test_intervals_contain_the_mean_of_a_known_distribution_about_as_often_as_they_say() -> None:
    generator, hits = np.random.default_rng(0), 0
    for _ in range(100):
        interval = bootstrap_interval(_mean_of(generator.normal(3.0, 1.0, 40)), ["a", "b"], _names(40))
        assert interval is not None
        hits += interval[0] <= 3.0 <= interval[1]
    assert 88 <= hits <= 99


def test_pairs_are_resampled_together_and_other_sets_apart() -> None:
    seen: list[tuple[Indices, Indices]] = []

    def statistic(chosen_real: Indices, chosen: Indices) -> float:
        seen.append((chosen_real, chosen))
        return 1.0

    bootstrap_interval(statistic, ["a", "b", "c"], ["c", "a", "b"], resamples=20)
    assert all(np.array_equal((real + 1) % 3, other) for real, other in seen)
    seen.clear()
    bootstrap_interval(statistic, ["a", "b", "c"], ["c", "a", "d"], resamples=20)
    assert not all(np.array_equal((real + 1) % 3, other) for real, other in seen)


def test_an_interval_is_the_same_for_a_seed_and_none_where_there_is_nothing_to_resample() -> None:
    mean = _mean_of(np.random.default_rng(0).random(10))
    first = bootstrap_interval(mean, _names(10), _names(10), seed=1)
    assert first == bootstrap_interval(mean, _names(10), _names(10), seed=1)
    assert first != bootstrap_interval(mean, _names(10), _names(10), seed=2)
    assert bootstrap_interval(mean, _names(1), _names(10)) is None
    assert bootstrap_interval(mean, _names(10), _names(10), resamples=0) is None
    assert bootstrap_interval(lambda _real, _other: float("nan"), _names(10), _names(10)) is None


@pytest.mark.parametrize(
    ("value", "direction", "scale", "expected"),
    [
        (0.02, "lower", "log", "like real"),  # nearer than real halves are: they are smaller sets
        (0.15, "lower", "log", "like real"),  # 1.5 times the ceiling
        (0.16, "lower", "log", "distinguishable"),
        (0.31, "lower", "log", "distinguishable"),  # the middle between 0.1 and 1 is 0.316
        (0.32, "lower", "log", "unusable"),
        (5.0, "lower", "log", "unusable"),  # beyond the floor
        (0.13, "lower", "linear", "distinguishable"),  # no tolerance beyond the interval
        (0.54, "lower", "linear", "distinguishable"),  # the middle is 0.55
        (0.56, "lower", "linear", "unusable"),
        (0.12, "two-sided", "linear", "like real"),
        (0.13, "two-sided", "linear", "distinguishable"),
        (0.07, "two-sided", "linear", "distinguishable"),
        (0.60, "two-sided", "linear", "unusable"),
    ],
)
def test_the_verdict_is_where_a_value_lies(value: float, direction: Direction, scale: Scale, expected: str) -> None:
    assert verdict(value, (0.1, 0.08, 0.12), 1.0, direction, scale) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(1.2, "like real"), (0.8, "like real"), (0.7, "distinguishable"), (0.4, "unusable")]
)
def test_higher_is_better_where_it_is(value: float, expected: str) -> None:
    assert verdict(value, (0.9, 0.8, 1.0), 0.1, "higher", "linear") == expected


def test_a_distance_that_may_be_0_between_real_sets_is_held_to_the_upper_limit() -> None:
    ceiling = (0.001, -0.2, 0.5)
    found = [verdict(value, ceiling, 50.0, "lower", "log") for value in (-0.1, 0.5, 4.9, 5.1)]  # the middle is 5
    assert found == ["like real", "like real", "distinguishable", "unusable"]


def test_without_a_floor_nothing_is_unusable() -> None:
    assert verdict(100.0, (0.1, 0.08, 0.12), None, "lower") == "distinguishable"


def test_the_floor_is_the_farthest_on_the_side_of_the_value_that_is_not_like_real() -> None:
    ceiling, floors = (0.8, 0.75, 0.85), {"a": 0.02, "b": 0.6, "c": 0.82, "d": 0.95}
    assert floor_for(0.7, ceiling, floors, "two-sided", "linear") == 0.02
    assert floor_for(0.9, ceiling, floors, "two-sided", "linear") == 0.95
    assert floor_for(0.9, ceiling, {"a": 0.02, "c": 0.82}, "two-sided", "linear") is None
    assert floor_for(0.5, ceiling, floors, "higher", "linear") == 0.02


@given(st.floats(-2, 2), st.floats(0, 1), st.floats(0, 1), st.floats(-3, 3))
def test_every_value_has_a_verdict(value: float, low: float, width: float, floor: float) -> None:
    ceiling = (low + width / 2, low, low + width)
    for direction in ("lower", "higher", "two-sided"):
        for scale in ("log", "linear"):
            assert verdict(value, ceiling, floor, direction, scale) in ("like real", "distinguishable", "unusable")
            assert verdict(ceiling[0], ceiling, floor, direction, scale) == "like real"


def test_the_ceiling_is_what_real_halves_are_apart() -> None:
    real = measured(SPECTRUM_DISTANCE, make_fields(16))
    ceiling = measure_ceiling(SPECTRUM_DISTANCE, real, seed=0)
    assert ceiling is not None
    value, low, high = ceiling
    assert 0 < low <= value <= high < 0.3
    assert ceiling == measure_ceiling(SPECTRUM_DISTANCE, real, seed=0)
    assert measure_ceiling(SPECTRUM_DISTANCE, real[:1], seed=0) is None


def test_the_floors_are_what_they_say() -> None:
    odd = replace(make_fields(1, seed=5, side=160)[0], name="odd")
    fields = FieldSet([*make_fields(3), odd], "real")
    blurred, painted, shuffled = (list(FLOORS[name](fields, 0)) for name in FLOORS)
    assert [len(blurred), len(painted), len(shuffled)] == [4, 4, 3]  # nobody has labels of 160 px but one
    assert all(one.image.std() < field.image.std() for one, field in zip(blurred, fields, strict=True))
    partners = {id(field.labels) for field in fields}
    for one in shuffled:
        [own] = [field for field in fields if field.name == one.name]
        assert one.image is own.image
        assert one.labels is not own.labels
        assert id(one.labels) in partners
    assert figure(SPECTRUM_DISTANCE, list(fields), painted) > 0.1


def test_flat_paint_keeps_each_grey_and_the_noise() -> None:
    fields = FieldSet(make_fields(2), "real")
    for one, field in zip(FLOORS["flat_paint"](fields, 0), fields, strict=True):
        assert one.labels is not None
        assert one.labels.nuclei is not None
        objects = one.labels.nuclei.astype(np.intp)
        assert object_greys(one.image, objects) == pytest.approx(object_greys(field.image, objects), abs=0.01)
        noise = [noise_deviation(image, objects == 0) for image in (one.image, field.image)]
        assert noise[0] == pytest.approx(noise[1], rel=0.15)


def test_a_field_without_labels_is_not_painted() -> None:
    bare = FieldSet([Field("a", np.full((8, 8), 0.5, np.float32))], "real")
    assert list(FLOORS["flat_paint"](bare, 0)) == []
    assert list(FLOORS["shuffled_labels"](bare, 0)) == []


def test_a_figure_far_beyond_every_floor_is_held_to_one_though_none_is_far_from_the_ceiling() -> None:
    ceiling, floors = (0.28, 0.1, 0.7), {"blurred": 0.886}  # few fields: a wide interval
    assert floor_for(2.79, ceiling, floors, "lower", "log") == 0.886
    assert floor_for(0.8, ceiling, floors, "lower", "log") is None


def test_a_set_beside_itself_is_within_the_limits_of_a_two_sided_figure() -> None:
    for seed in range(5):
        fields = measured(LATTICE_SCORE, make_fields(6, seed))
        ceiling = measure_ceiling(LATTICE_SCORE, fields, seed)
        assert ceiling is not None
        best, low, high = ceiling
        assert low <= LATTICE_SCORE.compare(fields, fields) <= high
        assert low <= best <= high
