"""Numbers of any type as 8 or 16 bit: the rule of docs/images.md."""

from __future__ import annotations

import numpy as np
import pytest
from biosynth import InvalidInputError, scaled
from biosynth.png import encode_png
from biosynth.scaling import Span, scaling_for, span_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from services.common.imaging.images import decode_image

TYPES = st.sampled_from(
    [np.int8, np.int16, np.int32, np.int64, np.uint32, np.uint64, np.float16, np.float32, np.float64]
)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_numbers_keep_their_order_and_become_8_or_16_bit(data: st.DataObject) -> None:
    image = data.draw(arrays.arrays(data.draw(TYPES), arrays.array_shapes(min_dims=2, max_dims=2), elements={}))
    if not np.isfinite(image).all():
        return
    made, note = scaled(image)
    assert made.dtype == np.uint16 and note
    order = np.argsort(image, axis=None)
    assert (np.diff(made.ravel()[order].astype(np.int64)) >= 0).all()


def test_8_and_16_bit_stay_as_they_are_in_any_byte_order() -> None:
    image = np.array([[1, 65535]], ">u2")
    made, note = scaled(image)
    assert (made.dtype, note) == (np.dtype(np.uint16), "") and made.tolist() == [[1, 65535]]


def test_numbers_far_from_0_and_close_to_each_other_are_told_apart() -> None:
    made, _ = scaled(np.array([[1e9, 1e9 + 0.5, 1e9 + 1]], np.float64))
    assert made.tolist() == [[0, 32768, 65535]]


def test_an_image_larger_than_a_band_is_scaled_as_one() -> None:
    image = np.linspace(-1, 1, 3000 * 3000).reshape(3000, 3000)
    made, _ = scaled(image)
    assert (made[0, 0], made[-1, -1]) == (0, 65535)
    np.testing.assert_array_equal(made, np.rint((image + 1) * 32767.5).astype(np.uint16))


def test_a_range_clips_what_lies_beyond_and_takes_nan_for_its_lower_end() -> None:
    made, note = scaled(np.array([[np.nan, -np.inf, -1, 0, 1, np.inf]]), (0, 1))
    assert made.tolist() == [[0, 0, 0, 0, 65535, 65535]]
    assert note.endswith("what lies beyond was clipped, with 3 NaN or infinite values")


@pytest.mark.parametrize(
    ("image", "limits", "says"),
    [
        (np.array([[np.nan, 1.0]]), None, "got 1 NaN or infinite values; give the range"),
        (np.full((2, 2), np.nan), (0.0, 1.0), "got 4 NaN or infinite values alone"),
        (np.zeros((2, 2)), (1.0, 1.0), "a range that rises"),
        (np.zeros((2, 2)), (0.0, np.inf), "a range that rises"),
        (np.zeros((0, 2)), None, r"shape \(0, 2\)"),
        (np.zeros((2, 2), np.complex64), None, "complex64"),
    ],
)
def test_what_cannot_be_scaled_is_refused(image: np.ndarray, limits: tuple[float, float] | None, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        scaled(image, limits)


def test_frames_that_belong_together_share_a_span() -> None:
    dark, bright = np.array([[0.0, 0.25]]), np.array([[0.5, 1.0]])
    scaling = scaling_for(dark.dtype, span_of(dark).joined(span_of(bright)))
    assert scaling.apply(dark).tolist() == [[0, 16384]] and scaling.apply(bright).tolist() == [[32768, 65535]]
    assert Span(0, 1, True, 0).joined(Span(2, 3, False, 1)) == Span(0, 3, False, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_png_without_an_image_library_holds_the_same_pixels(dtype: type) -> None:
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (7, 13), dtype)
    np.testing.assert_array_equal(decode_image(encode_png(image)), image)
