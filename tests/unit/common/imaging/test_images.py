"""Files that are accepted, and what becomes of their pixels."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from services.common.errors import ImageTooLarge, InvalidImage
from services.common.imaging.images import ImageLimits, autocontrast, decode_image, encode_png

GREY16 = np.random.default_rng(0).integers(0, 65535, (33, 47), dtype=np.uint16)
GREY8 = (GREY16 >> 8).astype(np.uint8)
RGB = np.dstack([GREY8, 255 - GREY8, GREY8 // 2])
LUMA = cv2.cvtColor(RGB, cv2.COLOR_RGB2GRAY)

images = st.sampled_from([np.uint8, np.uint16]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))
)


def tiff(pixels: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def tiff_by_opencv(pixels: NDArray[Any], compression: int) -> bytes:
    return cv2.imencode(".tif", pixels, [cv2.IMWRITE_TIFF_COMPRESSION, compression])[1].tobytes()


@settings(deadline=None, max_examples=50)
@given(images)
def test_a_png_gives_back_what_was_encoded_and_equal_images_give_equal_bytes(image: NDArray[Any]) -> None:
    data = encode_png(image)
    assert data == encode_png(image.copy())
    decoded = decode_image(data)
    assert decoded.dtype == image.dtype
    np.testing.assert_array_equal(decoded, image)


@settings(deadline=None, max_examples=50)
@given(images, st.sampled_from("<>"), st.booleans(), st.sampled_from([None, "zlib"]), st.booleans())
def test_a_tiff_of_any_layout_gives_back_its_samples(
    image: NDArray[Any], byteorder: Any, bigtiff: bool, compression: str | None, tiled: bool
) -> None:
    tile = (16, 16) if tiled else None
    data = tiff(image, byteorder=byteorder, bigtiff=bigtiff, compression=compression, tile=tile)
    decoded = decode_image(data)
    assert decoded.dtype == image.dtype
    np.testing.assert_array_equal(decoded, image)


@pytest.mark.parametrize("compression", [1, 5, 8, 32773], ids=["none", "lzw", "deflate", "packbits"])
@pytest.mark.parametrize("pixels", [GREY8, GREY16], ids=["8 bit", "16 bit"])
def test_common_compressions_of_tiff_are_read(pixels: NDArray[Any], compression: int) -> None:
    np.testing.assert_array_equal(decode_image(tiff_by_opencv(pixels, compression)), pixels)


@pytest.mark.parametrize(
    "data",
    [
        encode_png(RGB),
        tiff(RGB, photometric="rgb"),
        tiff(np.moveaxis(RGB, 2, 0), photometric="rgb", planarconfig="separate"),
        tiff_by_opencv(RGB[:, :, ::-1], 5),
        cv2.imencode(".png", np.dstack([RGB[:, :, ::-1], GREY8]))[1].tobytes(),
        tiff(np.dstack([RGB, GREY8]), photometric="rgb", extrasamples=["unassalpha"]),
    ],
    ids=["png", "tiff", "planar tiff", "lzw tiff", "png with alpha", "tiff with alpha"],
)
def test_colour_becomes_luma_and_alpha_is_dropped(data: bytes) -> None:
    np.testing.assert_array_equal(decode_image(data), LUMA)


def test_a_jpeg_of_grey_stays_grey() -> None:
    smooth = np.tile(np.arange(64, dtype=np.uint8) * 3, (64, 1))
    decoded = decode_image(cv2.imencode(".jpg", smooth, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())
    assert decoded.dtype == np.uint8
    assert int(np.abs(decoded.astype(int) - smooth).max()) < 8


def test_one_bit_becomes_0_and_255() -> None:
    mask = GREY8 > 99
    np.testing.assert_array_equal(decode_image(tiff(mask, photometric="minisblack")), mask * np.uint8(255))
    png = cv2.imencode(".png", mask.astype(np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes()
    assert png[24] == 1
    np.testing.assert_array_equal(decode_image(png), mask * np.uint8(255))


def test_white_is_zero_is_turned_round() -> None:
    np.testing.assert_array_equal(decode_image(tiff(GREY8, photometric="miniswhite")), 255 - GREY8)
    np.testing.assert_array_equal(decode_image(tiff(GREY8, photometric="miniswhite", compression="zlib")), 255 - GREY8)


def test_palettes_are_looked_up() -> None:
    ramp = np.arange(256, dtype=np.uint16)
    colours = np.stack([ramp, 255 - ramp, ramp // 2]) * np.uint16(257)
    expected = cv2.cvtColor((colours >> 8).astype(np.uint8).T[GREY8], cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(decode_image(tiff(GREY8, photometric="palette", colormap=colours)), expected)
    palette = (colours >> 8).astype(np.uint8).T.tobytes()
    np.testing.assert_array_equal(decode_image(png_file(GREY8, colour=3, extra=[(b"PLTE", palette)])), expected)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"ome": True, "metadata": {"axes": "CYX", "Channel": {"Name": ["DAPI", "actin", "phase"]}}}, "DAPI, actin"),
        ({"imagej": True}, "3"),
        ({"metadata": {"axes": "ZYX"}}, "3"),
        ({"metadata": {"axes": "TYX"}, "compression": "zlib"}, "3"),
    ],
    ids=["ome", "imagej", "stack", "series"],
)
def test_a_file_of_several_planes_needs_a_channel_and_says_so(options: dict[str, Any], named: str) -> None:
    data = tiff(np.stack([GREY16, GREY16 // 2, GREY16 // 3]), photometric="minisblack", **options)
    np.testing.assert_array_equal(decode_image(data, 1), GREY16 // 2)
    with pytest.raises(InvalidImage, match=rf"got 3.*{named if named != '3' else ''}.*--channel"):
        decode_image(data)
    with pytest.raises(InvalidImage, match=r"from 0 to 2.*got 3"):
        decode_image(data, 3)
    with pytest.raises(InvalidImage, match=r"from 0 to 2.*got -1"):
        decode_image(data, -1)


def test_samples_interleaved_without_being_colour_are_channels() -> None:
    pixels = np.dstack([GREY16, GREY16 // 2])
    data = tiff(pixels, photometric="minisblack", planarconfig="contig")
    np.testing.assert_array_equal(decode_image(data, 1), GREY16 // 2)


def test_thumbnails_in_a_tiff_are_no_channels() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(GREY16, metadata=None)
        writer.write(GREY16[::4, ::4].copy(), subfiletype=1, metadata=None)
    np.testing.assert_array_equal(decode_image(file.getvalue()), GREY16)


def test_channel_0_of_a_single_image_is_that_image() -> None:
    np.testing.assert_array_equal(decode_image(encode_png(GREY16), 0), GREY16)


@pytest.mark.parametrize("interlaced", [False, True])
def test_interlaced_pngs_are_followed_like_plain_ones(interlaced: bool) -> None:
    data = png_file(GREY8, interlaced=interlaced)
    np.testing.assert_array_equal(decode_image(data), GREY8)


def test_autocontrast_stretches_the_range_and_leaves_a_constant_image_black() -> None:
    np.testing.assert_array_equal(autocontrast(np.array([[100, 150, 200]], np.uint16)), [[0, 127, 255]])
    assert not autocontrast(np.full((4, 4), 77, np.uint8)).any()


@settings(deadline=None, max_examples=50)
@given(images)
def test_autocontrast_keeps_order_and_uses_the_whole_range(image: NDArray[Any]) -> None:
    stretched = autocontrast(image)
    if image.min() < image.max():
        assert (int(stretched.min()), int(stretched.max())) == (0, 255)
    order = np.argsort(image, axis=None, kind="stable")
    assert (np.diff(stretched.ravel()[order].astype(int)) >= 0).all()


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_what_a_png_cannot_hold_is_refused(image: NDArray[Any]) -> None:
    with pytest.raises(InvalidImage, match="expected"):
        encode_png(image)


def test_a_bomb_of_900_megapixels_is_refused_without_memory() -> None:
    program = (
        "import resource, sys\n"
        "from services.common.imaging.images import decode_image\n"
        "from services.common.errors import ImageTooLarge\n"
        "data = sys.stdin.buffer.read()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    decode_image(data)\n"
        "except ImageTooLarge:\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], input=bomb(), capture_output=True, check=True)
    assert int(answer.stdout) < 50 * 1024  # KiB


def test_opencv_has_a_limit_of_its_own() -> None:
    program = "import services.common.imaging.images, os; print(os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert int(answer.stdout) == ImageLimits().max_pixels


def test_limits_can_be_narrowed() -> None:
    with pytest.raises(ImageTooLarge, match=r"at most 100 pixels, got 33 x 47 = 1551"):
        decode_image(encode_png(GREY8), limits=ImageLimits(max_pixels=100))
    with pytest.raises(ImageTooLarge, match="at most 10 bytes"):
        decode_image(encode_png(GREY8), limits=ImageLimits(max_bytes=10))
    with pytest.raises(ImageTooLarge, match="at most 2 pages"):
        decode_image(tiff(np.stack([GREY8] * 3), photometric="minisblack"), 0, ImageLimits(max_pages=2))


def bomb() -> bytes:
    """900 megapixels of 0 in 1 bit, some 109 KB."""
    row = b"\0" * (1 + 30_000 // 8)
    return png_chunks(struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0), [], zlib.compress(row * 30_000, 9))


def png_file(
    pixels: NDArray[np.uint8], colour: int = 0, interlaced: bool = False, extra: list[tuple[bytes, bytes]] | None = None
) -> bytes:
    """A PNG of 8 bit written by hand, for kinds that encoders do not write."""
    height, width = pixels.shape
    steps = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)]
    passes = [pixels[a::b, c::d] for a, b, c, d in steps] if interlaced else [pixels]
    rows = b"".join(b"\0" + row.tobytes() for part in passes if part.size for row in part)
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, int(interlaced))
    return png_chunks(header, extra or [], zlib.compress(rows))


def png_chunks(header: bytes, extra: list[tuple[bytes, bytes]], stream: bytes) -> bytes:
    chunks = [(b"IHDR", header), *extra, (b"IDAT", stream), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
