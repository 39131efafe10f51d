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
    TEXTURE_SCALES_PX,
    acquisition_values,
    build_planes,
    draw_texture,
    plane_count,
)
from services.generation.roles import find_objects
from tests.unit.generation.fakes import LOOKS, ROLES, disks


def test_texture_has_about_unit_variance_and_grows_coarser() -> None:
    texture = draw_texture((400, 400), np.random.default_rng(0))
    assert texture.shape == (len(TEXTURE_SCALES_PX), 400, 400)
    assert texture.dtype == np.float32
    assert texture.std((1, 2)) == pytest.approx(np.ones(len(texture)), abs=0.06)
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
    planes = build_planes(reference, objects, look, texture, levels=3)
    assert planes.shape == (plane_count(3), 48, 40) == (3 + EXTRA_PLANES, 48, 40)
    assert planes.dtype == np.float32
    assert np.array_equal(planes[:3].argmax(0), reference)
    assert (planes[:3].sum(0) == 1).all()
    assert (planes[3:5, objects == 0] == 0).all()
    for number in (1, int(objects.max())):
        assert (planes[3:5, objects == number] == look.objects[number - 1][:, None]).all()
    assert np.unique(planes[5]) == pytest.approx([np.log1p(10 * 0.02 / 0.3)])
    assert np.unique(planes[6]) == pytest.approx([0.5])
    assert np.array_equal(planes[7:], texture)


def test_an_ordered_contrast_of_0_still_gives_finite_planes() -> None:
    assert all(np.isfinite(acquisition_values(replace(LOOKS[0].appearance, contrast=0.0))))
