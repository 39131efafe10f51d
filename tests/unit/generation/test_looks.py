"""Looks that are drawn, imitated and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.generation.appearance import Appearance, Look
from services.generation.looks import (
    NEAREST,
    AppearanceRecord,
    LabelStatistics,
    describe_labels,
    draw,
    fitted,
    nearest,
    record_of,
    unlike,
)
from tests.unit.generation.fakes import LOOKS

LABELS = LabelStatistics(object_px=20.0, density=400.0, background=0.8)
LOOK = Look(LOOKS[0].appearance, np.array([[0.8, 0.2], [1.2, 0.4], [-0.5, 0.1]], np.float32))


def _shapes(count: int) -> NDArray[np.float32]:
    return np.tile(np.array([0.0, 1.0, 1.0], np.float32), (count, 1))


def _drawn(records: Sequence[AppearanceRecord], count: int, ordered: Mapping[str, float], seed: int) -> Look:
    generator = np.random.default_rng(seed)
    return fitted(draw(records, LABELS, generator).look, _shapes(count), ordered, generator)


@given(st.integers(0, 2**32), st.integers(0, 20))
def test_one_seed_draws_one_look_and_a_pair_for_every_object(seed: int, count: int) -> None:
    first, second = (_drawn(LOOKS, count, {}, seed) for _ in range(2))
    assert first.appearance in [record.appearance for record in LOOKS]
    assert first.appearance == second.appearance
    assert first.objects.shape == (count, 2)
    assert np.array_equal(first.objects, second.objects)


@given(
    st.dictionaries(st.sampled_from(sorted(vars(LOOKS[0].appearance))), st.floats(0, 1)),
    st.integers(0, 1000),
)
def test_ordered_values_take_the_place_of_drawn_ones_and_change_no_other(ordered: dict[str, float], seed: int) -> None:
    free = _drawn(LOOKS, 3, {}, seed)
    bound = _drawn(LOOKS, 3, ordered, seed)
    assert vars(bound.appearance) == {**vars(free.appearance), **ordered}


def test_an_ordered_spread_is_that_of_the_objects() -> None:
    for records in (LOOKS, (AppearanceRecord(LOOKS[0].appearance, ((1.0, 0.2),)),)):
        look = _drawn(records, 4000, {"spread": 0.5}, 0)
        assert look.objects[:, 0].std() == pytest.approx(0.5, rel=0.05)


def test_a_record_keeps_a_rounded_sample_of_the_objects() -> None:
    appearance = Appearance(0.123456789, 0.3, 0.2, 0.02, 0.5)
    objects = np.random.default_rng(0).random((50, 2), np.float32)
    shapes = np.random.default_rng(1).random((50, 3), np.float32)
    record = record_of(Look(appearance, objects, shapes), LABELS, "stained", np.random.default_rng(0), most=7)
    assert record.appearance.background == 0.12346
    assert len(record.objects) == 7
    assert (record.labels, record.kind) == (LABELS, "stained")
    pool = {
        (tuple(np.round(pair.astype(float), 3)), tuple(np.round(shape.astype(float), 2)))
        for pair, shape in zip(objects, shapes, strict=True)
    }
    assert set(zip(record.objects, record.shapes, strict=True)) <= pool


def _record(object_px: float, kind: str = "stained", background: float = 0.2) -> AppearanceRecord:
    appearance = replace(LOOKS[0].appearance, background=background)
    return AppearanceRecord(appearance, ((1.0, 0.2),), replace(LABELS, object_px=object_px), kind)


@given(st.permutations(range(10, 40)))
def test_a_drawn_look_is_of_images_whose_labels_are_likest(sizes: list[int]) -> None:
    found = nearest([_record(size) for size in sizes], LABELS)
    assert len(found) == NEAREST
    assert found[0].labels == LABELS
    assert {record.labels.object_px for record in found if record.labels} <= {19, 20, 21}


def test_kinds_are_never_mixed() -> None:
    records = [_record(20, "phase"), *(_record(20.1, "stained") for _ in range(9)), _record(60, "phase")]
    assert [record.kind for record in nearest(records, LABELS)] == ["phase", "phase"]


def test_records_that_keep_no_labels_are_all_equally_near() -> None:
    assert nearest(LOOKS, LABELS) == list(LOOKS)
    assert nearest([*LOOKS, _record(20)], LABELS) == [*LOOKS, _record(20)]


def test_a_drawn_look_names_the_record_that_it_is_of() -> None:
    record = draw([_record(20, background=0.7)], LABELS, np.random.default_rng(0))
    assert (record.kind, record.look.appearance.background) == ("stained", 0.7)


def test_objects_of_an_imitated_image_keep_their_own_brightness() -> None:
    assert np.array_equal(fitted(LOOK, _shapes(3), {}, np.random.default_rng(0)).objects, LOOK.objects)


@given(st.integers(0, 40), st.integers(0, 100))
def test_another_number_of_objects_is_drawn_from_those_of_the_look(count: int, seed: int) -> None:
    drawn = fitted(LOOK, _shapes(count), {}, np.random.default_rng(seed))
    assert drawn.objects.shape == (count, 2)
    assert {tuple(pair) for pair in drawn.objects} <= {tuple(pair) for pair in LOOK.objects}
    assert drawn.appearance == LOOK.appearance


@given(st.integers(0, 40), st.integers(0, 100))
def test_objects_are_given_the_brightness_of_those_that_are_shaped_like_them(count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    round_ones = generator.random(count) < 0.5
    pairs = np.array([[-0.2, 0.1], [2.0, 0.9], [-0.3, 0.1], [2.1, 0.8]], np.float32)
    kinds = np.array([[0.4, 0.2, 0.7], [-0.6, 0.9, 1.0]], np.float32)  # large and spread, small and round
    shapes = kinds[round_ones.astype(int)] + generator.normal(0, 0.01, (count, 3)).astype(np.float32)
    made = fitted(replace(LOOK, objects=pairs, shapes=kinds[[0, 1, 0, 1]]), shapes, {}, generator)
    assert np.array_equal(made.objects[:, 0] > 1, round_ones)
    assert np.array_equal(made.shapes, shapes)


def test_objects_of_an_imitated_image_keep_their_own_brightness_in_whatever_order_they_come() -> None:
    shapes = np.array([[0.5, 0.3, 0.8], [0.0, 0.6, 0.9], [-0.7, 1.0, 1.0]], np.float32)
    look = replace(LOOK, shapes=shapes)
    assert np.array_equal(fitted(look, shapes, {}, np.random.default_rng(0)).objects, LOOK.objects)
    assert np.array_equal(fitted(look, shapes[::-1], {}, np.random.default_rng(0)).objects, LOOK.objects[::-1])


def test_ordered_values_take_the_place_of_imitated_ones() -> None:
    made = fitted(LOOK, _shapes(3), {"background": 0.9, "spread": 0.0}, np.random.default_rng(0))
    assert made.appearance == replace(LOOK.appearance, background=0.9, spread=0.0)
    assert made.objects[:, 0] == pytest.approx([0.5, 0.5, 0.5])
    assert LOOK.objects[0, 0] == np.float32(0.8)  # the given look is left as it was


def test_a_look_without_objects_can_be_given_to_an_image_without_any_only() -> None:
    empty = Look(LOOK.appearance, np.zeros((0, 2), np.float32))
    assert fitted(empty, _shapes(0), {}, np.random.default_rng(0)).objects.shape == (0, 2)
    with pytest.raises(InvalidArgument, match="at least one object; got none"):
        fitted(empty, _shapes(2), {}, np.random.default_rng(0))


def test_what_is_beyond_all_training_images_is_named_with_their_range() -> None:
    records = [_record(size, background=size / 100) for size in (10, 20, 30)]
    usual = Look(replace(LOOKS[0].appearance, background=0.2), np.array([[1.0, 0.2]], np.float32))
    assert unlike(usual, LABELS, records) == ()
    bright = replace(usual, appearance=replace(usual.appearance, background=0.9))
    assert unlike(bright, LABELS, records) == ("background is 0.9; training images have 0.1 to 0.3",)
    dark = replace(usual, objects=-usual.objects)
    assert "darker than the background) is -1; training images have 1 to 1" in unlike(dark, LABELS, records)[0]
    assert "diameter of objects in px is 90" in unlike(usual, replace(LABELS, object_px=90.0), records)[0]


def test_labels_are_described_by_size_number_and_background() -> None:
    objects = np.zeros((100, 200), np.int32)
    objects[10:20, 10:20], objects[50:60, 50:60], objects[80:90, 10:13] = 1, 2, 4  # 3 has no pixel left
    found = describe_labels(objects)
    assert found.object_px == pytest.approx(2 * np.sqrt(100 / np.pi))
    assert found.density == pytest.approx(150.0)
    assert found.background == pytest.approx(1 - 230 / 20000)
    assert describe_labels(np.zeros((4, 5), np.int32)) == LabelStatistics(0.0, 0.0, 1.0)
