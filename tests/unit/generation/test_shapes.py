"""Shapes of objects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.generation.shapes import draw_alike, shapes_of


def _ellipse(down: float, right: float) -> NDArray[np.int32]:
    y, x = np.mgrid[:200, :200]
    inside: NDArray[np.bool_] = ((y - 100) / down) ** 2 + ((x - 100) / right) ** 2 <= 1
    return inside.astype(np.int32)


def test_an_ellipse_has_the_aspect_of_its_axes_and_fills_itself() -> None:
    assert shapes_of(_ellipse(60, 20))[0] == pytest.approx([0, 1 / 3, 1], abs=0.01)
    assert shapes_of(_ellipse(40, 40))[0] == pytest.approx([0, 1, 1], abs=0.01)


def test_a_star_fills_its_ellipse_less_than_a_disk() -> None:
    y, x = np.mgrid[:200, :200] - 100
    star = (np.hypot(y, x) < 50 * (1 + 0.6 * np.cos(5 * np.arctan2(y, x)))).astype(np.int32)
    assert shapes_of(star)[0, 2] < 0.9


def test_size_is_told_beside_the_median_object_so_it_does_not_change_with_scale() -> None:
    objects = np.zeros((40, 90), np.int32)
    objects[2:12, 2:12], objects[2:22, 20:40], objects[2:32, 50:80] = 1, 2, 3
    enlarged = np.repeat(np.repeat(objects, 3, 0), 3, 1)
    assert shapes_of(objects)[:, 0] == pytest.approx([np.log(0.5), 0, np.log(1.5)], abs=1e-6)
    assert shapes_of(enlarged) == pytest.approx(shapes_of(objects), abs=0.01)


def test_labels_without_a_pixel_and_objects_of_one_have_finite_shapes() -> None:
    assert shapes_of(np.zeros((5, 5), np.int32)).shape == (0, 3)
    assert np.isfinite(shapes_of(np.array([[1, 0, 3]], np.int32))).all()


def test_likeness_of_shape_says_how_often_one_is_chosen() -> None:
    known = np.array([[0, 0.5, 1], [0, 0.6, 1], [0, 0.9, 1]], np.float32)  # 0, 1 and 4 steps away
    chosen = draw_alike(known, np.repeat(known[:1], 20_000, 0), np.random.default_rng(0))
    expected = np.exp([0, -0.5, -8])
    assert np.bincount(chosen, minlength=3) / 20_000 == pytest.approx(expected / expected.sum(), abs=0.01)


@given(st.integers(1, 40), st.integers(0, 3000), st.integers(0, 99))
def test_objects_of_any_number_are_each_given_one_and_far_from_all_the_nearest(
    known: int, count: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    theirs = np.arange(known, dtype=np.float32)[:, None].repeat(3, 1)  # ten steps apart and more
    own = generator.integers(known, size=count)
    assert np.array_equal(draw_alike(theirs, theirs[own], generator), own)
    assert (draw_alike(theirs, np.full((count, 3), 1e3, np.float32), generator) == known - 1).all()
