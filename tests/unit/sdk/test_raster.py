"""Arrays as rasters, and back."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from biosynth.errors import InvalidInputError
from biosynth.raster import image_raster, planes_of, segmentation_raster
from biosynth.v1.types_pb2 import Raster, SampleType
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

SHAPES = array_shapes(min_dims=2, max_dims=2, max_side=17)


@given(arrays(st.sampled_from([np.uint8, np.uint16]), SHAPES))
def test_an_image_comes_back_as_it_was(image: NDArray[Any]) -> None:
    (plane,) = planes_of(image_raster(image)).values()
    assert plane.dtype == image.dtype
    np.testing.assert_array_equal(plane, image)


@given(SHAPES.flatmap(lambda shape: st.tuples(arrays(np.int32, shape, elements=st.integers(0, 2**31 - 1)),
                                              arrays(np.bool_, shape))))  # fmt: skip
def test_labels_and_wound_come_back_as_they_were(parts: tuple[NDArray[np.int32], NDArray[np.bool_]]) -> None:
    cells, wound = parts
    planes = planes_of(segmentation_raster({"wound": wound, "cells": cells}))
    assert list(planes) == ["cells", "wound"]
    np.testing.assert_array_equal(planes["cells"], cells)
    np.testing.assert_array_equal(planes["wound"], wound)


def test_labels_take_16_bit_until_they_need_32() -> None:
    few, many = (np.array([[0, top]], np.int32) for top in (65_535, 65_536))
    assert segmentation_raster({"cells": few}).sample_type == SampleType.SAMPLE_TYPE_UINT16
    assert segmentation_raster({"cells": many}).sample_type == SampleType.SAMPLE_TYPE_UINT32


def test_an_array_in_another_order_or_byte_order_is_sent_by_value() -> None:
    image = np.arange(12, dtype=">u2").reshape(3, 4).T
    np.testing.assert_array_equal(planes_of(image_raster(image))["image"], image)


@pytest.mark.parametrize(
    "image", [np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2)), np.zeros((0, 4), np.uint8), np.zeros((2, 2), np.int32)]
)
def test_what_is_no_image_is_refused_with_its_shape_and_type(image: NDArray[Any]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        image_raster(image)
    assert str(image.shape) in str(caught.value)
    assert str(image.dtype) in str(caught.value)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({}, "none"),
        ({"mitochondria": np.zeros((2, 2), np.int32)}, "mitochondria"),
        ({"cells": np.zeros((2, 2), np.int32), "nuclei": np.zeros((2, 3), np.int32)}, r"nuclei \(2, 3\)"),
        ({"cells": np.zeros((2, 2))}, "float64"),
        ({"cells": np.full((2, 2), -1)}, "from -1"),
        ({"cells": np.zeros((2, 2, 2), np.int32)}, "one shape"),
        ({"cells": np.zeros((0, 2), np.int32)}, r"\(0, 2\)"),
        ({"cells": np.full((1, 1), 2**32)}, "at most"),
        ({"wound": np.zeros((2, 2), np.int32)}, "bool"),
    ],
)
def test_what_is_no_segmentation_is_refused(parts: dict[str, NDArray[Any]], says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        segmentation_raster(parts)


def raster(samples: bytes, **changes: Any) -> Raster:
    fields: dict[str, Any] = {
        "height_px": 2,
        "width_px": 2,
        "sample_type": SampleType.SAMPLE_TYPE_UINT8,
        "channels": ["image"],
        "zlib_samples": samples,
    }
    return Raster(**fields | changes)


@pytest.mark.parametrize(
    "wrong",
    [
        raster(b"not zlib"),
        raster(zlib.compress(bytes(3))),
        raster(zlib.compress(bytes(5))),
        raster(zlib.compress(bytes(4))[:-1]),
        raster(zlib.compress(bytes(10**7))),
        raster(zlib.compress(bytes(4)), sample_type=SampleType.SAMPLE_TYPE_UNSPECIFIED),
        raster(zlib.compress(bytes(4)), channels=[]),
    ],
)
def test_a_raster_that_contradicts_itself_is_refused(wrong: Raster) -> None:
    with pytest.raises(ValueError, match="expected"):
        planes_of(wrong)
