from __future__ import annotations

import cv2
import numpy as np
import pytest

from services.common.errors import UnknownName
from services.segmentation.builtin import builtin_segmenters
from services.segmentation.choice import AUTO, choose, pick
from services.segmentation.look import measure_look
from services.segmentation.segmenter import Image
from tests.unit.segmentation.synthetic import discs, fluorescence, scratch

FLUORESCENCE = fluorescence(discs([(20, 20), (60, 25), (80, 90)], 9), [120.0, 90.0, 60.0])
PHASE = scratch(slice(150, 260))[0]


def noise(side: int) -> Image:
    return np.random.default_rng(0).integers(0, 256, (side, side)).astype(np.uint8)


def test_auto_takes_nuclei_for_fluorescence_and_scratch_for_phase_contrast() -> None:
    assert choose(FLUORESCENCE) == "nuclei"
    assert choose(FLUORESCENCE.astype(np.uint16) * 100 + 2000) == "nuclei"
    assert choose(PHASE) == "scratch"
    assert choose(scratch(None, polarity=-1)[0]) == "scratch"


def test_a_blank_image_is_chosen_for_without_an_error() -> None:
    assert choose(np.zeros((1, 1), np.uint16)) == "scratch"


def test_a_name_picks_its_segmenter_whatever_the_image() -> None:
    assert pick(builtin_segmenters(), "cells", FLUORESCENCE).segmenter.name == "cells"


def test_auto_keeps_to_the_candidates() -> None:
    segmenters = builtin_segmenters()
    assert pick(segmenters, AUTO, FLUORESCENCE).segmenter.name == "nuclei"
    assert pick(segmenters, AUTO, FLUORESCENCE, ["nuclei", "cells"]).segmenter.name == "nuclei"
    assert pick(segmenters, AUTO, FLUORESCENCE, ["wound", "cells"]).segmenter.name == "cells"


def test_auto_says_how_sure_it_is_and_a_named_segmenter_does_not() -> None:
    segmenters = builtin_segmenters()
    confidence = pick(segmenters, AUTO, FLUORESCENCE).confidence
    assert confidence is not None and 0.8 < confidence <= 1
    assert pick(segmenters, AUTO, np.zeros((64, 64), np.uint8)).confidence == 0.5
    assert pick(segmenters, "nuclei", FLUORESCENCE).confidence is None


@pytest.mark.parametrize(
    ("name", "image", "words"),
    [
        ("scratch", FLUORESCENCE, "looks like fluorescence"),
        ("nuclei", PHASE, "looks like phase contrast"),
        ("nuclei", 255 - FLUORESCENCE, "darker than the ground"),
        (AUTO, 255 - FLUORESCENCE, "darker than the ground"),
        (AUTO, noise(512), "as fine as noise"),
        (AUTO, noise(300), "the same everywhere, as that of noise"),
        (AUTO, np.full((64, 64), 255, np.uint8), "blank"),
        ("cells", np.zeros((64, 64), np.uint16), "blank"),
        ("nuclei", FLUORESCENCE[:20, :20], "less than 32 px"),
    ],
)
def test_an_image_unlike_those_that_a_segmenter_was_made_for_is_told(name: str, image: Image, words: str) -> None:
    (warning,) = pick(builtin_segmenters(), name, image).warnings
    assert words in warning


@pytest.mark.parametrize("image", [FLUORESCENCE, PHASE], ids=["fluorescence", "phase"])
def test_an_image_at_half_its_scale_looks_about_the_same(image: Image) -> None:
    large = np.asarray(cv2.resize(image, (512, 512), interpolation=cv2.INTER_CUBIC), np.uint8)
    small = np.asarray(cv2.resize(large, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    one, other = measure_look(large), measure_look(small)
    assert one is not None and other is not None
    assert other.skew == pytest.approx(one.skew, abs=0.3)
    assert other.fineness == pytest.approx(one.fineness, abs=0.3)


def test_ordinary_images_are_not_warned_of() -> None:
    segmenters = builtin_segmenters()
    assert pick(segmenters, AUTO, FLUORESCENCE).warnings == ()
    assert pick(segmenters, AUTO, PHASE).warnings == ()
    assert pick(segmenters, "wound", FLUORESCENCE).warnings == ()


@pytest.mark.parametrize(("name", "candidates"), [("nucleus", ()), (AUTO, ("nuclei", "nucleus"))])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str, candidates: tuple[str, ...]) -> None:
    with pytest.raises(
        UnknownName,
        match=r"cells, cells-texture, nuclei, nuclei-threshold, scratch, .*, wound; got 'nucleus'",
    ):
        pick(builtin_segmenters(), name, FLUORESCENCE, candidates)
