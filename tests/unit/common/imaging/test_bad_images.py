"""Bytes that are no image that we accept: each with the right error, and a message that says what came."""

from __future__ import annotations

import io
import struct
import time
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.common.errors import ImageTooLarge, InvalidImage
from services.common.imaging.images import decode_image, encode_png

NOISE = np.random.default_rng(0).integers(0, 65535, (33, 47), dtype=np.uint16)


def tiff(pixels: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def opencv(kind: str, pixels: NDArray[Any], *options: int) -> bytes:
    return cv2.imencode(kind, pixels, options)[1].tobytes()


PNG = encode_png(NOISE)
JPEG = opencv(".jpg", (NOISE >> 8).astype(np.uint8))
TIFF = tiff(NOISE)
DEFLATE = tiff(NOISE, compression="zlib", rowsperstrip=8)
LZW = opencv(".tif", NOISE, cv2.IMWRITE_TIFF_COMPRESSION, 5)
TILED = tiff(NOISE, tile=(16, 16))
WHOLE = {"png": PNG, "jpeg": JPEG, "tiff": TIFF, "deflate": DEFLATE, "lzw": LZW, "tiled": TILED}


def png(header: bytes, stream: bytes) -> bytes:
    chunks = [(b"IHDR", header), (b"IDAT", stream), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def jpeg_size(data: bytes, height: int, width: int) -> bytes:
    return patched(data, data.index(b"\xff\xc0") + 5, struct.pack(">HH", height, width))


def strip_of(data: bytes) -> tuple[int, int]:
    """Where the first strip of a TIFF lies, and its number of bytes."""
    page: Any = tifffile.TiffFile(io.BytesIO(data)).pages[0]
    return page.dataoffsets[0], page.databytecounts[0]


def deflate_bomb() -> bytes:
    """A TIFF of 64 x 64 whose one strip inflates to 200 MB."""
    stream = zlib.compress(bytes(200_000_000), 9)
    page: Any = tiff(np.zeros((64, 64), np.uint8), compression="zlib", rowsperstrip=64)
    tags = tifffile.TiffFile(io.BytesIO(page)).pages[0].tags
    page = patched(page, tags["StripOffsets"].offset + 8, struct.pack("<I", len(page)))
    return bytes(patched(page, tags["StripByteCounts"].offset + 8, struct.pack("<I", len(stream)))) + stream


def many_strips(number: int, step: int) -> bytes:
    """A TIFF one pixel wide with a strip a row, `step` bytes apart: 0 means that all share one stream."""
    stream = zlib.compress(b"\x01", 9)
    tags = [(256, 1), (257, number), (258, 8), (259, 8), (262, 1), (273, 0), (277, 1), (278, 1), (279, 0)]
    offsets = 8 + 2 + 12 * len(tags) + 4
    counts = offsets + 4 * number
    first = counts + 4 * number
    places = {273: offsets, 279: counts}
    entries = [struct.pack("<HHII", tag, 4, number if tag in places else 1, places.get(tag, v)) for tag, v in tags]
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(entries) + bytes(4)
    where = first + step * np.arange(number, dtype="<u4")
    return (
        head
        + where.astype("<u4").tobytes()
        + np.full(number, len(stream), "<u4").tobytes()
        + stream * (number if step else 1)
    )


STREAM_BYTES = len(zlib.compress(b"\x01", 9))


def looping_tiff() -> bytes:
    """A TIFF whose second directory names the first as the next."""
    data = tiff(np.stack([NOISE, NOISE]), photometric="minisblack")
    pages = tifffile.TiffFile(io.BytesIO(data)).pages
    second: Any = pages[1].aspage()
    return patched(data, second.offset + 2 + 12 * len(second.tags), struct.pack("<I", pages.first.offset))


def two_sizes() -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(NOISE, metadata=None)
        writer.write(NOISE[:9].copy(), metadata=None)
    return file.getvalue()


BAD = {
    "nothing": (b"", InvalidImage, "got 0 bytes"),
    "text": (b"hello, world", InvalidImage, "PNG, TIFF or JPEG.*68 65 6c 6c"),
    "bitmap": (opencv(".bmp", (NOISE >> 8).astype(np.uint8)), InvalidImage, "Windows bitmap.*save it as PNG"),
    "signature alone": (PNG[:8], InvalidImage, "cut off after 8 bytes"),
    "tiff signature alone": (TIFF[:4], InvalidImage, "whole TIFF"),
    "jpeg signature alone": (JPEG[:3], InvalidImage, "cut off after 3 bytes"),
    "png without its end": (PNG[:-12], InvalidImage, "whole PNG"),
    "png with a flipped bit": (patched(PNG, 200, bytes([PNG[200] ^ 1])), InvalidImage, "checksum"),
    "png with too few rows": (
        png(struct.pack(">IIBBBBB", 10, 10, 8, 0, 0, 0, 0), zlib.compress(bytes(5 * 11))),
        InvalidImage,
        "110 bytes of rows, got 55",
    ),
    "png with other than a stream": (
        png(struct.pack(">IIBBBBB", 10, 10, 8, 0, 0, 0, 0), b"no zlib at all"),
        InvalidImage,
        "damaged pixel stream",
    ),
    "png of 3 bit": (png(struct.pack(">IIBBBBB", 9, 9, 3, 0, 0, 0, 0), b""), InvalidImage, "3 bit of colour type 0"),
    "png of no width": (png(struct.pack(">IIBBBBB", 0, 9, 8, 0, 0, 0, 0), b""), InvalidImage, "got 9 x 0"),
    "png of 900 megapixels": (
        png(struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0), b""),
        ImageTooLarge,
        "at most 100000000 pixels, got 30000 x 30000 = 900000000",
    ),
    "png of 16-bit colour that would take 600 MB": (
        png(struct.pack(">IIBBBBB", 10_000, 10_000, 16, 2, 0, 0, 0), b""),
        ImageTooLarge,
        "at most 400000000 bytes when decoded, got 600000000",
    ),
    "jpeg of 4,000 megapixels": (jpeg_size(JPEG, 65_000, 65_000), ImageTooLarge, "65000 x 65000"),
    "jpeg of no height": (jpeg_size(JPEG, 0, 9), InvalidImage, "got 0 x 9"),
    "jpeg without its end": (JPEG[:-2], InvalidImage, "whole JPEG"),
    "jpeg without a scan": (JPEG[: JPEG.index(b"\xff\xda")] + b"\xff\xd9", InvalidImage, "image in it"),
    "jpeg of 12 bit": (patched(JPEG, JPEG.index(b"\xff\xc0") + 4, b"\x0c"), InvalidImage, "got 12 bit"),
    "lossless jpeg": (patched(JPEG, JPEG.index(b"\xff\xc0"), b"\xff\xc3"), InvalidImage, "lossless"),
    "float tiff": (tiff(NOISE.astype(np.float32)), InvalidImage, "8 or 16 bit, got 32 bit float; convert"),
    "nan": (tiff(np.full((5, 5), np.nan, np.float32)), InvalidImage, "32 bit float with 25 NaN or infinite"),
    "infinity": (tiff(np.full((5, 5), np.inf)), InvalidImage, "64 bit float with 25 NaN or infinite"),
    "signed tiff": (tiff(NOISE.astype(np.int16)), InvalidImage, "got 16 bit signed"),
    "tiff of 32 bit": (tiff(NOISE.astype(np.uint32)), InvalidImage, "got uint32"),
    "complex tiff": (tiff(NOISE.astype(np.complex64)), InvalidImage, "expected unsigned samples"),
    "tiff of CMYK": (tiff(np.zeros((9, 9, 4), np.uint8), photometric="separated"), InvalidImage, "got SEPARATED"),
    "tiff of two sizes": (two_sizes(), InvalidImage, "one size, got 9 x 47, 33 x 47"),
    "tiff whose pages loop": (looping_tiff(), InvalidImage, "loop"),
    "tiff of 65 pages": (tiff(np.zeros((65, 4, 4), np.uint8), photometric="minisblack"), ImageTooLarge, "at most 64"),
    "tiff of 70 samples": (
        tiff(np.zeros((4, 4, 70), np.uint8), photometric="minisblack", planarconfig="contig"),
        ImageTooLarge,
        "at most 64",
    ),
    "tiff whose strip inflates without end": (deflate_bomb(), InvalidImage, "at most 4096 bytes when inflated"),
    "tiff of too many strips": (many_strips(65_537, STREAM_BYTES), InvalidImage, "at most 65536 strips or tiles"),
    "tiff whose strips overlap": (many_strips(60_000, 0), InvalidImage, "do not overlap, got 540000 bytes"),
    "tiff with a damaged deflate strip": (patched(DEFLATE, strip_of(DEFLATE)[0], b"\0\0\0"), InvalidImage, "damaged"),
    "tiff with a damaged lzw strip": (
        patched(LZW, strip_of(LZW)[0] + 999, b"\0" * 999),
        InvalidImage,
        "cannot be decoded",
    ),
    "tiff with a document type": (
        tiff(NOISE, description="<!DOCTYPE x [<!ENTITY a 'b'>]><OME>&a;</OME>", metadata=None),
        InvalidImage,
        "document types",
    ),
}


@pytest.mark.parametrize(("data", "error", "message"), BAD.values(), ids=BAD.keys())
def test_bad_bytes_are_refused_in_plain_words(data: bytes, error: type[InvalidImage], message: str) -> None:
    with pytest.raises(error, match=message) as refused:
        decode_image(data)
    assert type(refused.value) is error
    assert refused.value.status == "INVALID_ARGUMENT"


def test_a_strip_that_inflates_without_end_is_left_soon() -> None:
    data = deflate_bomb()
    begin = time.process_time()
    with pytest.raises(InvalidImage, match="at most 4096 bytes"):
        decode_image(data)
    assert time.process_time() - begin < 0.05  # all 200 MB take 0.3 s and more


def test_a_strip_a_row_is_no_offence() -> None:
    np.testing.assert_array_equal(decode_image(many_strips(300, STREAM_BYTES)), np.ones((300, 1), np.uint8))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 40), st.sampled_from([0, 1, 9]), st.sampled_from([64, 255, 1 << 16]))
def test_a_strip_of_any_size_and_compression_is_whole(extra: int, level: int, values: int) -> None:
    """Sizes around a piece of 1 MiB, where the inflater may hold the last bytes back."""
    rows = 1020 + extra
    image = (np.random.default_rng(extra).integers(0, values, (rows, 512)) % 65536).astype(np.uint16)
    data = tiff(image, compression="zlib", rowsperstrip=rows, compressionargs={"level": level})
    np.testing.assert_array_equal(decode_image(data), image)


@pytest.mark.parametrize("kind", ["webp", "jpeg"])
def test_codecs_that_strangers_need_not_reach_are_refused_by_name(kind: str) -> None:
    page = tiff(NOISE, compression=None)
    tags = tifffile.TiffFile(io.BytesIO(page)).pages[0].tags
    number = {"webp": 50001, "jpeg": 7}[kind]
    data = patched(page, tags["Compression"].offset + 8, struct.pack("<H", number))
    with pytest.raises(InvalidImage, match=rf"LZW, Deflate or PackBits, got {kind.upper()}"):
        decode_image(data)


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_cut_off_anywhere_is_refused(kind: str) -> None:
    data = WHOLE[kind]
    decode_image(data)
    # A TIFF may end in tags that nobody needs, yet its last byte belongs to it all the same.
    for length in (*range(0, len(data) - 1, 37), len(data) - 1):
        with pytest.raises(InvalidImage):
            decode_image(data[:length])


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(WHOLE)), st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=8))))
def test_damage_never_ends_in_another_error(kind: str, damage: list[tuple[int, bytes]]) -> None:
    data = WHOLE[kind]
    for at, new in damage:
        data = patched(data, at, new)[: len(data)]
    try:
        decoded = decode_image(data)
    except InvalidImage:
        return
    assert decoded.dtype in (np.uint8, np.uint16)
    assert decoded.ndim == 2
