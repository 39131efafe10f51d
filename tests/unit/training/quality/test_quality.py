"""Figures of image quality, limits, and the table of both."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, InvalidImage
from services.common.imaging.images import Image
from services.common.imaging.labels import Segmentation
from services.evaluation.pictures import Picture
from services.training.datasets.quality.figures import figures
from services.training.datasets.quality.limits import Limits, judged, with_limits
from services.training.datasets.quality.table import csv_of, text_of
from tests.support.pictures import nuclei_picture, scratch_picture

PICTURES = {"nuclei": nuclei_picture(count=40), "scratch": scratch_picture()}


def _blurred(image: NDArray[np.uint8], deviation_px: float = 5) -> NDArray[np.uint8]:
    """Out of focus, then seen by a camera, whose noise is as sharp as ever."""
    soft = cv2.GaussianBlur(image.astype(np.float32), (0, 0), deviation_px)
    noisy = soft + np.random.default_rng(0).normal(0, 2, image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _noise() -> NDArray[np.uint8]:
    return np.random.default_rng(1).normal(60, 5, (128, 128)).astype(np.uint8)


def _reasons(image: NDArray[Any], labels: Segmentation | None = None, limits: Limits | None = None) -> str:
    [found] = judged([Picture("a", image, labels)], limits or Limits())
    return "; ".join(found.reasons)


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_in_focus_are_taken_and_blurred_ones_left(kind: str) -> None:
    assert _reasons(PICTURES[kind]) == ""
    assert _reasons(_blurred(PICTURES[kind])).startswith("out of focus (focus")


@pytest.mark.parametrize("kind", PICTURES)
def test_figures_know_no_unit(kind: str) -> None:
    eight, sixteen = figures(PICTURES[kind]), figures(PICTURES[kind].astype(np.uint16) * np.uint16(200) + np.uint16(9))
    assert eight.focus == pytest.approx(sixteen.focus, rel=0.02)
    assert eight.contrast == pytest.approx(sixteen.contrast, rel=0.02)
    assert eight.density == sixteen.density


def test_noise_alone_and_a_constant_image_have_nothing_to_learn_from() -> None:
    assert _reasons(_noise()).startswith("nothing above its noise (contrast 5.")
    assert _reasons(np.full((64, 64), 9, np.uint8)).startswith("nothing above its noise (contrast 0.0")


def _stored(bright: NDArray[np.float64], full: int) -> Image:
    clipped = np.minimum(bright, full)
    return clipped.astype(np.uint16) if full > 255 else clipped.astype(np.uint8)


@pytest.mark.parametrize("full", [255, 4095, 65535])
def test_saturation_is_found_at_any_depth_of_a_camera(full: int) -> None:
    bright = PICTURES["nuclei"].astype(np.float64) * full / 255
    image, over = _stored(bright, full), _stored(3 * bright, full)
    assert figures(image).saturation == 0
    assert figures(over).saturation > 0.05
    assert "saturated (" in _reasons(over)


def test_labels_say_how_dense_an_image_is() -> None:
    image = PICTURES["nuclei"]
    half = np.zeros(image.shape, np.int32)
    half[:96] = 3
    assert figures(image, Segmentation(nuclei=half)).density == 0.5
    assert figures(image, Segmentation(nuclei=half)).objects == 1
    assert _reasons(image, Segmentation(nuclei=half)) == ""
    assert _reasons(image, Segmentation(nuclei=half * 0)) == "no object in its labels"
    assert _reasons(image, Segmentation(nuclei=half + 1)).startswith("labels without background (100 % covered")


def test_of_one_picture_saved_in_several_ways_the_first_is_taken() -> None:
    first, other = PICTURES["nuclei"], nuclei_picture(count=40, seed=5)
    reduced = cv2.resize(first, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    compressed = cv2.imdecode(cv2.imencode(".jpg", first, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], cv2.IMREAD_UNCHANGED)
    copies = {"deep": first.astype(np.uint16) * np.uint16(100), "small": reduced, "jpeg": compressed}
    pictures = [Picture(name, np.asarray(image)) for name, image in ({"first": first, "other": other} | copies).items()]
    found = {one.name: one.reasons for one in judged(pictures, Limits())}
    assert found["first"] == found["other"] == ()
    for name in copies:
        assert found[name][0].startswith("the same picture as "), name


def test_constant_images_are_no_duplicates_of_each_other() -> None:
    black = np.zeros((64, 64), np.uint8)
    for one in judged([Picture("a", black), Picture("b", black)], Limits()):
        assert not any("same picture" in reason for reason in one.reasons)


def test_limits_can_be_changed_and_left_out() -> None:
    blurred = _blurred(PICTURES["nuclei"])
    assert _reasons(blurred, limits=with_limits(Limits(), {"focus": None})) == ""
    assert "focus" in _reasons(PICTURES["nuclei"], limits=with_limits(Limits(), {"focus": 90.0}))
    with pytest.raises(InvalidArgument, match=r"expected limits among focus, contrast, .*; got 'colour'"):
        with_limits(Limits(), {"colour": 1.0})


def test_images_too_small_to_measure_are_refused() -> None:
    with pytest.raises(InvalidImage, match="at least 16 pixels a side"):
        figures(np.zeros((15, 40), np.uint8))


def test_the_table_has_a_row_an_image_with_what_was_measured_and_why_it_is_left() -> None:
    found = list(judged([Picture("a.png", PICTURES["nuclei"]), Picture("b.png", _noise())], Limits()))
    rows = list(csv.DictReader(io.StringIO(csv_of(found).decode())))
    assert [(row["image"], row["taken"]) for row in rows] == [("a.png", "yes"), ("b.png", "no")]
    assert float(rows[0]["focus"]) == pytest.approx(asdict(found[0].figures)["focus"], abs=0.01)
    assert rows[0]["objects"] == "" and rows[1]["like"] == "a.png"
    assert "nothing above its noise" in rows[1]["reasons"]
    lines = text_of(found).splitlines()
    assert lines[0].split() == ["image", "focus", "contrast", "saturation", "density", "objects", "taken", "reasons"]
    assert len(lines) == 3
