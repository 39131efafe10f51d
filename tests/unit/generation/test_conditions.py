"""The network's input planes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generation.appearance import Look
from services.generation.conditions import (
    EXTRA_PLANES,
    GLOW_SCALES_PX,
    TEXTURE_SCALES_PX,
    acquisition_values,
    build_planes,
    draw_texture,
    glow_of,
    plane_count,
)
from services.generation.roles import find_objects
from tests.unit.generation.fakes import LOOKS, ROLES, disks


def test_texture_has_about_unit_variance_and_grows_coarser() -> None:
    texture = draw_texture((1500, 1501), np.random.default_rng(0))
    assert texture.shape == (len(TEXTURE_SCALES_PX), 1500, 1501)
    assert texture.dtype == np.float32
    assert texture.std((1, 2)) == pytest.approx(np.ones(len(texture)), abs=0.1)
    steps = np.diff(texture, axis=2).std((1, 2))
    assert (np.diff(steps) < 0).all()


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 100))
def test_texture_of_any_size_is_finite_and_follows_from_its_seed(height: int, width: int, seed: int) -> None:
    first, second = (draw_texture((height, width), np.random.default_rng(seed)) for _ in range(2))
    assert first.shape[1:] == (height, width)
    assert np.isfinite(first).all()
    assert np.array_equal(first, second)


def test_the_planes_are_one_hot_levels_then_looks_then_acquisition_then_texture() -> None:
    reference = disks(48, 40)
    objects = find_objects(reference, ROLES)
    look = Look(LOOKS[0].appearance, np.random.default_rng(0).random((int(objects.max()), 2), np.float32))
    texture = draw_texture(reference.shape, np.random.default_rng(1))
    glow = glow_of(objects, look)
    planes = build_planes(reference, objects, look, glow, texture, levels=3)
    assert planes.shape == (plane_count(3), 48, 40) == (3 + EXTRA_PLANES, 48, 40)
    assert planes.dtype == np.float32
    assert np.array_equal(planes[:3].argmax(0), reference)
    assert (planes[:3].sum(0) == 1).all()
    assert (planes[3:5, objects == 0] == 0).all()
    for number in (1, int(objects.max())):
        assert (planes[3:5, objects == number] == look.objects[number - 1][:, None]).all()
    assert np.array_equal(planes[5:7], glow)
    assert np.unique(planes[7]) == pytest.approx([np.log1p(10 * 0.02 / 0.3)])
    assert np.unique(planes[8]) == pytest.approx([0.5])
    assert np.array_equal(planes[9:], texture)


def test_glow_is_what_objects_shed_around_them_the_wider_the_weaker() -> None:
    objects = np.zeros((200, 200), np.int32)
    objects[90:110, 90:110] = 1
    glow = glow_of(objects, Look(LOOKS[0].appearance, np.array([[2.0, 0.1]], np.float32)))
    assert glow.shape == (len(GLOW_SCALES_PX), 200, 200)
    near, wide = glow
    assert near.max() > 3 * wide.max() > 0
    assert near[100, 160] < 1e-3 < wide[100, 160]
    # Light is spread, not lost.
    assert glow.sum((1, 2)) == pytest.approx(2.0 * 400, rel=0.05)


@given(st.integers(1, 70), st.integers(1, 70))
def test_glow_of_any_size_is_finite(height: int, width: int) -> None:
    objects = np.ones((height, width), np.int32)
    glow = glow_of(objects, Look(LOOKS[0].appearance, np.array([[1.0, 0.1]], np.float32)))
    assert glow.shape[1:] == (height, width)
    assert glow == pytest.approx(np.ones_like(glow), abs=1e-3)


def test_an_ordered_contrast_of_0_still_gives_finite_planes() -> None:
    assert all(np.isfinite(acquisition_values(replace(LOOKS[0].appearance, contrast=0.0))))
