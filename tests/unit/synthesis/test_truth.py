"""Label files of any integer type become truths; others are refused."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from services.common.errors import ImageTooLarge, InvalidImage, InvalidSegmentation
from services.common.imaging.images import encode_png
from services.common.imaging.labels import Segmentation
from services.common.imaging.ometiff import encode_segmentation
from services.synthesis.truth import Truth, read_truth
from tests.support.label_maps import discs

LABELS = discs()


def tiff(pixels: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}])
def test_a_tiff_of_any_integer_type_is_a_mask(dtype: str, options: dict[str, Any]) -> None:
    truth, _ = read_truth(tiff(LABELS.astype(dtype), **options), "nuclei")
    np.testing.assert_array_equal(truth.labels, LABELS)
    assert truth.labels.dtype == np.int32 and truth.wound is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_grey_png_is_a_mask(dtype: Any) -> None:
    np.testing.assert_array_equal(read_truth(encode_png(LABELS.astype(dtype)), "cells")[0].labels, LABELS)


def test_labels_above_16_bit_are_kept() -> None:
    assert read_truth(tiff(LABELS * 100_000), "cells")[0].labels.max() == 800_000


def test_a_segmentation_gives_the_part_that_the_model_draws_and_its_wound() -> None:
    wound = LABELS == 0
    data = encode_segmentation(Segmentation(cells=LABELS, nuclei=LABELS * 2, wound=wound))
    truth, _ = read_truth(data, "nuclei")
    assert truth.labels.max() == 2 * LABELS.max()
    np.testing.assert_array_equal(truth.wound, wound)
    with pytest.raises(InvalidSegmentation, match="expected nuclei, which the model draws; the file has cells"):
        read_truth(encode_segmentation(Segmentation(cells=LABELS)), "nuclei")


RGB = np.dstack([LABELS, LABELS * 3, LABELS * 5]).astype(np.uint8)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tiff(LABELS + 0.5), "whole numbers; got 0.5 in row 0, column 0"),
        (encode_png(RGB), "got colours"),
        (tiff(RGB, photometric="rgb"), "got colours"),
        (
            tiff(np.stack([LABELS] * 3), photometric="minisblack"),
            "one plane; got a stack of 3 planes; choose one with --time 0 to 2",
        ),
        (tiff(LABELS - 1), "labels from 0 .*; got -1"),
        (tiff(LABELS.astype(np.int64) << 40), "number the objects anew from 1"),
        (b"no image", "expected label maps .*; got a file that begins with 6e 6f"),
        (b"", "0 bytes"),
    ],
)
def test_what_is_no_mask_is_refused_with_what_to_do(data: bytes, message: str) -> None:
    with pytest.raises((InvalidImage, InvalidSegmentation), match=message):
        read_truth(data, "cells")


def test_a_mask_larger_than_the_limits_is_refused_before_it_is_decoded() -> None:
    data = cv2.imencode(".png", np.zeros((10_001, 10_000), np.uint8))[1].tobytes()
    with pytest.raises(ImageTooLarge, match="at most 100000000 pixels"):
        read_truth(data, "cells")


def test_an_ome_tiff_of_another_program_is_a_label_map() -> None:
    for metadata in ({"axes": "YX"}, {"axes": "YX", "Channel": {"Name": "labels"}}):
        data = tiff(LABELS.astype(np.int32), ome=True, metadata=metadata)
        np.testing.assert_array_equal(read_truth(data, "cells")[0].labels, LABELS)


def test_objects_of_a_single_pixels_width_are_counted_however_they_lie() -> None:
    labels = np.zeros((12, 12), np.int32)
    labels[0, 2:9] = 1  # what a crop leaves of an object
    labels[3, 3] = 2
    labels[np.arange(4, 10), np.arange(4, 10)] = 3
    labels[9:11, 1:3] = 4
    labels[5:8, 10:12] = 5
    assert Truth(labels).slivers == 3
    assert Truth(np.zeros((1, 9), np.int32)).slivers == 0
