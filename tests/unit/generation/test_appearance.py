"""Measuring how an image looks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.common.ranges import check_appearance
from services.generation.appearance import measure
from services.generation.grain import QUANTUM
from services.generation.roles import find_objects
from tests.unit.generation.fakes import ROLES, disks


def _field(
    background: float, contrast: float, noise: float, size: int = 192
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.int32]]:
    """A field of disks on a background, every second disk twice as bright as the others."""
    reference = disks(size, size)
    objects = find_objects(reference, ROLES)
    brightness = np.where(objects % 2, 4 / 3, 2 / 3) * (objects > 0)
    camera = np.random.default_rng(0).standard_normal(reference.shape) * noise
    return (background + contrast * brightness + camera).astype(np.float32), reference, objects


def test_the_measured_look_is_the_one_that_was_painted() -> None:
    look = measure(*_field(0.2, 0.3, 0.02), ROLES)
    assert look.appearance.background == pytest.approx(0.2, abs=0.002)
    assert look.appearance.contrast == pytest.approx(0.3, abs=0.005)
    assert look.appearance.noise == pytest.approx(0.02, rel=0.05)
    assert look.appearance.spread == pytest.approx(1 / 3, abs=0.02)
    assert look.objects[:2, 0] == pytest.approx([4 / 3, 2 / 3], abs=0.05)
    assert look.objects.dtype == np.float32


def test_an_image_without_noise_measures_none() -> None:
    assert measure(*_field(0.2, 0.3, 0.0), ROLES).appearance.noise == pytest.approx(0.0, abs=1e-6)


def test_a_dark_object_on_a_bright_background_has_a_negative_mean_and_a_positive_contrast() -> None:
    look = measure(*_field(0.8, -0.3, 0.01), ROLES)
    assert look.appearance.contrast == pytest.approx(0.3, abs=0.01)
    assert (look.objects[:, 0] < 0).all()


def test_a_blurred_image_is_less_sharp() -> None:
    image, reference, objects = _field(0.2, 0.3, 0.0)
    blurred = (image + np.roll(image, 1, 0) + np.roll(image, 1, 1) + np.roll(image, (1, 1), (0, 1))) / np.float32(4)
    sharp, soft = (measure(field, reference, objects, ROLES).appearance.sharpness for field in (image, blurred))
    assert soft < 0.7 * sharp


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 7)])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_tiny_field_of_one_level_still_has_a_finite_look(shape: tuple[int, int], level: int) -> None:
    reference = np.full(shape, level, np.uint8)
    look = measure(np.full(shape, 0.5, np.float32), reference, find_objects(reference, ROLES), ROLES)
    assert all(np.isfinite(value) for value in vars(look.appearance).values())
    assert look.appearance.contrast >= QUANTUM
    assert look.objects.shape == (1 if level else 0, 2)


@pytest.mark.parametrize(
    ("ordered", "message"),
    [
        ({"blur": 0.1}, "among background, contrast, spread, noise, sharpness, grain, unevenness; got blur"),
        ({"noise": -0.01}, r"appearance\.noise from 0 to 1; got -0\.01"),
        ({"background": 1.5}, r"appearance\.background from 0 to 1; got 1\.5"),
        ({"spread": 9.0}, r"appearance\.spread from 0 to 8; got 9"),
        ({"contrast": float("nan")}, "got nan"),
        ({"sharpness": float("inf")}, "from 0 to 8; got inf"),
    ],
)
def test_a_value_that_no_image_can_have_is_refused(ordered: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        check_appearance(ordered)
