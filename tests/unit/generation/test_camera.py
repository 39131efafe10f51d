"""Grain, an uneven ground and noise: what is measured on an image is what a generated one then has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from services.generation.appearance import Appearance, measure
from services.generation.camera import expose
from services.generation.ground import ground_of
from services.generation.light import LIGHTS, draw_clouds, draw_threads
from services.generation.roles import find_objects
from tests.unit.generation.fakes import ROLES, disks

PLAIN = Appearance(background=0.2, contrast=0.3, spread=0.0, noise=0.0, sharpness=0.0)
REFERENCE = disks(384, 384, step=96, radius=20)
OBJECTS = find_objects(REFERENCE, ROLES)
CLEAN = (OBJECTS > 0).astype(np.float32)


def seen(look: Appearance, clean: NDArray[np.float32] = CLEAN, seed: int = 0) -> Appearance:
    """The appearance that is measured on what the camera makes of a clean image."""
    counts = expose(clean, OBJECTS, look, np.random.default_rng(seed))
    return measure(counts.astype(np.float32) / np.float32(255), REFERENCE, OBJECTS, ROLES).appearance


@pytest.mark.parametrize("noise", [0.002, 0.005, 0.02])
@pytest.mark.parametrize("level", [51.0, 51.3, 51.5])
def test_noise_and_background_are_found_again_between_grey_levels(noise: float, level: float) -> None:
    found = seen(replace(PLAIN, background=level / 255, noise=noise))
    assert found.background * 255 == pytest.approx(level, abs=0.1)
    assert found.noise == pytest.approx(noise, rel=0.15)
    assert found.grain < max(0.002, noise / 4)


@pytest.mark.parametrize("levels", [0.1, 0.2, 0.3, 0.4])
def test_noise_below_half_a_grey_level_is_found_on_grounds_between_levels(levels: float) -> None:
    slanted = CLEAN + np.linspace(0, 0.2, CLEAN.shape[1], dtype=np.float32)  # 15 grey levels
    assert seen(replace(PLAIN, noise=levels / 255), slanted).noise * 255 == pytest.approx(levels, abs=0.03)


@pytest.mark.parametrize("grain", [0.01, 0.03])
def test_objects_have_the_grain_that_is_ordered_and_the_ground_has_none(grain: float) -> None:
    found = seen(replace(PLAIN, noise=0.004, grain=grain))
    assert found.grain == pytest.approx(grain, rel=0.1)
    assert found.noise == pytest.approx(0.004, rel=0.15)


def test_light_beside_objects_has_no_grain() -> None:
    halos = CLEAN + np.float32(0.3) * (1 - CLEAN)
    found = seen(replace(PLAIN, noise=0.004, grain=0.03), halos)
    assert found.grain == pytest.approx(0.03, rel=0.1)
    assert found.noise == pytest.approx(0.004, rel=0.15)


def test_grain_that_the_network_has_made_is_not_added_again() -> None:
    grainy = CLEAN * (1 + 0.1 * np.random.default_rng(1).standard_normal(CLEAN.shape, np.float32))
    alone = seen(PLAIN, grainy).grain
    assert alone == pytest.approx(0.03, rel=0.1)
    assert seen(replace(PLAIN, grain=0.03), grainy).grain == pytest.approx(alone, rel=0.1)
    assert seen(replace(PLAIN, grain=0.06), grainy).grain == pytest.approx(0.06, rel=0.1)


def test_noise_that_the_network_has_made_is_not_added_again() -> None:
    noisy = CLEAN + np.float32(0.03) * np.random.default_rng(1).standard_normal(CLEAN.shape, np.float32)
    alone = seen(PLAIN, noisy).noise
    assert alone == pytest.approx(0.009, rel=0.1)
    assert seen(replace(PLAIN, noise=0.009), noisy).noise == pytest.approx(alone, rel=0.1)
    assert seen(replace(PLAIN, noise=0.015), noisy).noise == pytest.approx(0.015, rel=0.1)


def test_a_reference_without_ground_has_the_noise_that_is_ordered() -> None:
    texture = 1 + np.float32(0.1) * np.random.default_rng(1).standard_normal((64, 64), np.float32)
    noisy, clean = (
        expose(texture, np.ones((64, 64), np.int32), replace(PLAIN, noise=noise), np.random.default_rng(0))
        for noise in (0.02, 0.0)
    )
    assert (noisy - clean.astype(np.float32)).std() == pytest.approx(0.02 * 255, rel=0.05)


def test_the_ground_is_as_uneven_as_ordered_and_its_median_stays() -> None:
    plain, uneven = seen(replace(PLAIN, noise=0.004)), seen(replace(PLAIN, noise=0.004, unevenness=0.01))
    assert plain.unevenness < 0.001
    assert uneven.unevenness == pytest.approx(0.01, rel=0.4)  # by chance: patches are as wide as a tenth of the image
    assert uneven.background == pytest.approx(plain.background, abs=0.001)


def test_light_between_objects_stays_faint_whatever_was_measured() -> None:
    assert seen(replace(PLAIN, unevenness=0.2)).unevenness < 0.05


def test_the_same_seed_gives_the_same_counts_and_another_one_others() -> None:
    look = replace(PLAIN, noise=0.01, grain=0.02, unevenness=0.01)
    first, again, other = (expose(CLEAN, OBJECTS, look, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (40, 700)])
@pytest.mark.parametrize("name", LIGHTS)
def test_light_fills_an_image_of_any_shape(name: str, shape: tuple[int, int]) -> None:
    light = LIGHTS[name](shape, np.random.default_rng(0))
    assert light.shape == shape
    assert np.isfinite(light).all()


def test_threads_have_unit_deviation_and_few_bright_places() -> None:
    light = draw_threads((800, 800), np.random.default_rng(0))
    assert light.std() == pytest.approx(1, abs=0.35)
    skewness = float((((light - light.mean()) / light.std()) ** 3).mean())
    assert 1 < skewness < 6


def test_clouds_have_unit_deviation_and_lie_in_no_direction() -> None:
    light = draw_clouds((800, 800), np.random.default_rng(0))
    assert light.std() == pytest.approx(1, abs=0.2)
    down, right = (float(np.square(np.diff(light, axis=axis)).mean()) for axis in (0, 1))
    assert down == pytest.approx(right, rel=0.1)


def test_the_ground_keeps_its_distance_from_objects() -> None:
    objects = np.zeros((41, 41), np.int32)
    objects[20, 20] = 1
    ground = ground_of(objects)
    assert ground[20, 7]
    assert not ground[20, 8]
