"""Conditions: what they do to an image is what their level says."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.common.imaging.noise import noise_deviation
from services.evaluation.toolcheck.conditions import CONDITIONS, UNDEGRADED, Level, degrade
from services.evaluation.toolcheck.spacing import bins, spacing

TRUE = np.zeros((128, 160), np.int32)
TRUE[20:60, 20:60], TRUE[80:120, 90:130] = 1, 2
OUTSIDE = TRUE == 0
EVERY = [
    Level(name, level) for name, condition in CONDITIONS.items() for level in (*condition.defaults, condition.most)
]


def _image(ground: float, contrast: float, dtype: Any = np.uint8) -> NDArray[Any]:
    image: NDArray[Any] = np.rint((ground + contrast * (TRUE > 0)) * np.iinfo(dtype).max).astype(dtype)
    return image


def _contrast(image: NDArray[Any]) -> float:
    plane = image / np.iinfo(image.dtype).max
    return float(plane[TRUE > 0].mean() - plane[OUTSIDE].mean())


def _noise(image: NDArray[Any]) -> float:
    return noise_deviation((image / np.iinfo(image.dtype).max).astype(np.float32), OUTSIDE)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("ground", [0.0, 0.05, 0.4])
@pytest.mark.parametrize("contrast", [0.1, 0.5])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
def test_noise_is_the_share_of_contrast_that_it_is_called_on_dark_grounds_too(
    dtype: Any, ground: float, contrast: float, share: float
) -> None:
    noisy = degrade(_image(ground, contrast, dtype), TRUE, Level("noise", share), "a", 0)
    assert noisy.dtype == dtype
    assert _noise(noisy) / _contrast(noisy) == pytest.approx(share, rel=0.08)


def test_blur_blurs_the_light_and_leaves_the_noise() -> None:
    clean = _image(0.2, 0.5).astype(np.float64)
    sharp = np.rint(clean + np.random.default_rng(0).normal(0, 6, clean.shape)).astype(np.uint8)
    blurred = degrade(sharp, TRUE, Level("blur", 3.0), "a", 0)
    assert _noise(blurred) == pytest.approx(_noise(sharp), rel=0.1)
    edges = [np.abs(np.diff(plane[30:50].mean(0))).max() for plane in (sharp, blurred)]
    assert edges[1] < 0.25 * edges[0]


def test_blur_without_noise_is_a_gaussian() -> None:
    image = _image(0.2, 0.5)
    expected = cv2.GaussianBlur(image.astype(np.float64), (0, 0), 2.0, borderType=cv2.BORDER_REFLECT)
    blurred = degrade(image, TRUE, Level("blur", 2.0), "a", 0)
    assert np.abs(blurred - expected).max() < 1.0


def test_dimming_takes_the_light_away() -> None:
    image = _image(0.2, 0.5, np.uint16)
    assert np.array_equal(degrade(image, TRUE, Level("dim", 0.75), "a", 0), np.rint(image * 0.25).astype(np.uint16))


def test_undegraded_images_are_themselves() -> None:
    image = _image(0.2, 0.5)
    assert degrade(image, TRUE, UNDEGRADED, "a", 0) is image


@pytest.mark.parametrize("level", EVERY, ids=lambda level: level.folder)
@pytest.mark.parametrize("shape", [(4, 4), (5, 70)])
def test_every_level_gives_an_image_of_its_size_whatever_the_image(level: Level, shape: tuple[int, int]) -> None:
    true = np.ones(shape, np.int32)
    for image in (np.zeros(shape, np.uint8), np.full(shape, 65535, np.uint16)):
        worse = degrade(image, true, level, "a", 0)
        assert (worse.shape, worse.dtype) == (image.shape, image.dtype)


def test_noise_depends_on_name_level_and_seed_and_on_nothing_else() -> None:
    image = _image(0.2, 0.5)
    first = degrade(image, TRUE, Level("noise", 0.2), "a", 0)
    assert np.array_equal(degrade(image, TRUE, Level("noise", 0.2), "a", 0), first)
    for level, name, seed in (("0.2", "b", 0), ("0.3", "a", 0), ("0.2", "a", 1)):
        assert not np.array_equal(degrade(image, TRUE, Level("noise", float(level)), name, seed), first)


def test_spacing_does_not_depend_on_magnification_and_is_less_in_a_clump() -> None:
    double = np.kron(TRUE, np.ones((2, 2), np.int32))
    clump = np.zeros_like(TRUE)
    clump[20:60, 20:60], clump[20:60, 60:100] = 1, 2
    assert spacing(double) == pytest.approx(spacing(TRUE))
    assert spacing(clump) == pytest.approx(40 / (40 * 2 / np.sqrt(np.pi)))
    assert spacing(clump) < 0.5 * spacing(TRUE)
    assert np.isnan(spacing((TRUE == 1).astype(np.int32)))


@pytest.mark.parametrize(("fields", "sizes"), [(9, []), (10, [5, 5]), (17, [6, 6, 5]), (1000, [250] * 4)])
def test_bins_have_five_fields_or_more(fields: int, sizes: list[int]) -> None:
    spacings = list(np.random.default_rng(0).uniform(1, 4, fields))
    found = bins(spacings)
    assert [len(some) for some in found] == sizes
    assert [index for some in found for index in some] == (list(np.argsort(spacings)) if sizes else [])
