from __future__ import annotations

import numpy as np
import pytest
from biosynth.contract import PARTS
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label

from services.segmentation.builtin import builtin_segmenters
from services.segmentation.segmenter import Image
from tests.unit.segmentation.synthetic import discs, fluorescence, scratch

NAMES = sorted(builtin_segmenters())
FLUORESCENCE = fluorescence(discs([(20, 20), (60, 25), (80, 90)], 9), [120.0, 90.0, 60.0])
PHASE = scratch(slice(150, 260))[0]


def test_the_built_in_segmenters_say_what_they_find() -> None:
    parts = {name: segmenter.parts for name, segmenter in builtin_segmenters().items()}
    assert parts == {
        "cell-free": ("wound",),
        "cells": ("cells",),
        "cells-texture": ("cells",),
        "nuclei": ("nuclei",),
        "nuclei-threshold": ("nuclei",),
        "scratch": ("cells", "wound"),
        "scratch-texture": ("cells", "wound"),
        "scratch-zone": ("cells", "wound"),
        "wound": ("wound",),
    }
    for name, segmenter in builtin_segmenters().items():
        assert segmenter.name == name
        assert isinstance(segmenter.version, int) and segmenter.version >= 1
        assert segmenter.description.endswith(".")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("image", [FLUORESCENCE, PHASE], ids=["fluorescence", "phase"])
def test_every_segmenter_finds_its_parts_the_same_way_twice_and_leaves_the_image_alone(name: str, image: Image) -> None:
    segmenter, before = builtin_segmenters()[name], image.copy()
    once, twice = segmenter.segment(image), segmenter.segment(image)
    assert once.parts == segmenter.parts
    assert once.shape == image.shape
    assert np.array_equal(image, before)
    for part in once.parts:
        assert np.array_equal(getattr(once, part), getattr(twice, part))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (5, 7), (64, 48)])
@pytest.mark.parametrize("value", [0, 100, 255])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_blank_image_holds_nothing(name: str, shape: tuple[int, int], value: int, dtype: type[np.uint8]) -> None:
    found = builtin_segmenters()[name].segment(np.full(shape, value, dtype))
    assert found.shape == shape
    assert all(not getattr(found, part).any() for part in found.parts)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from([np.uint8, np.uint16]),
    st.floats(0.3, 12),
    st.integers(0, 2**32 - 1),
)
def test_labels_are_consecutive_and_connected_whatever_the_image(
    name: str, height: int, width: int, dtype: type[np.uint8], grain: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rough = rng.random((int(height / grain) + 1, int(width / grain) + 1))
    rows, columns = (np.arange(height) / grain).astype(int), (np.arange(width) / grain).astype(int)
    image = (rough[np.ix_(rows, columns)] ** 3 * np.iinfo(dtype).max).astype(dtype)
    found = builtin_segmenters()[name].segment(image)
    for part in set(found.parts) & set(PARTS[:2]):
        labels = getattr(found, part)
        numbers = np.unique(labels[labels > 0])
        assert np.array_equal(numbers, np.arange(1, numbers.size + 1))
        assert all(label(labels == number, connectivity=1).max() == 1 for number in numbers)
    if found.wound is not None and found.cells is not None:
        assert not found.wound[found.cells > 0].any()
