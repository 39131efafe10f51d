"""Text beside a PNG's pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from services.common.errors import InvalidImage
from services.common.imaging.formats.png_text import text_of, with_text
from services.common.imaging.images import decode_image, encode_png

PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)
PLAIN = encode_png(PIXELS)


def test_a_text_is_read_as_it_was_written_and_the_pixels_stay() -> None:
    told = with_text(with_text(PLAIN, "Title", "a map"), "key", "café/1")
    assert (text_of(told, "key"), text_of(told, "Title")) == ("café/1", "a map")
    np.testing.assert_array_equal(decode_image(told), PIXELS)


@pytest.mark.parametrize("data", [PLAIN, with_text(PLAIN, "key2", "text")])
def test_a_text_that_is_not_there_is_empty(data: bytes) -> None:
    assert text_of(data, "key") == ""


def test_other_readers_find_the_text() -> None:
    with Image.open(io.BytesIO(with_text(PLAIN, "key", "text"))) as opened:
        assert opened.info == {"key": "text"}


def test_a_damaged_file_is_refused() -> None:
    told = bytearray(with_text(PLAIN, "key", "text"))
    told[told.index(b"text")] ^= 1
    with pytest.raises(InvalidImage, match="checksum"):
        text_of(bytes(told), "key")
