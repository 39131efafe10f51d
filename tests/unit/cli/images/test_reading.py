"""Image files as labs have them: what is sent of each, what people are told, and how the others are refused."""

from __future__ import annotations

import argparse
import hashlib
import io
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tifffile

from services.cli.images import opening
from services.cli.images.lab_image import LabImage
from services.cli.images.reading import read_image, read_images
from services.cli.images.wish import Wish, wish_of
from services.cli.seeking import add_seeking
from services.cli.sources import are_many, find_images
from services.common.errors import BiosynthError, ImageTooLarge, InvalidArgument, InvalidImage
from services.common.imaging.formats.limits import ImageLimits
from services.common.imaging.images import decode_image, encode_png
from tests.support.lab_images import (
    CZI,
    FLOAT,
    GREY8,
    GREY16,
    LIF_MAGIC,
    MADE,
    NAMES,
    ND2,
    PIXEL_UM,
    REFUSED,
    STACK,
    coloured,
    data,
    imagej,
    ome,
    tiff,
    two_stains,
)


def wish(*words: str) -> Wish:
    parser = argparse.ArgumentParser()
    add_seeking(parser)
    return wish_of(parser.parse_args(words))


def needs(package: str) -> None:
    if package and find_spec(package) is None:
        pytest.skip(f"{package}, of the extra formats, is not installed")


def sent(image: LabImage) -> dict[str, object]:
    """What the OME-XML of what is sent tells."""
    with tifffile.TiffFile(io.BytesIO(image.data)) as file:
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    channels = pixels["Channel"] if isinstance(pixels["Channel"], list) else [pixels["Channel"]]
    return {"names": [one.get("Name", "") for one in channels], "um": pixels.get("PhysicalSizeX")}


@pytest.mark.parametrize("name", MADE)
def test_what_a_lab_has_is_sent_as_services_take_it(name: str, tmp_path: Path) -> None:
    made = MADE[name]
    needs(made.package)
    path = tmp_path / f"image{made.suffix}"
    made.write(path)
    image = read_image(path, wish(*made.options))
    pixels = image.pixels()
    assert pixels.dtype == made.expected.dtype and pixels.dtype in (np.uint8, np.uint16)
    np.testing.assert_array_equal(pixels, made.expected)
    assert (re.search(made.said, "; ".join(image.notes)) is not None) if made.said else not image.notes
    if made.pixel_um is not None:
        assert image.pixel_size_um == pytest.approx((made.pixel_um, made.pixel_um), rel=1e-6)
    assert image.record["name"] == path.name
    if path.is_file():
        assert image.record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_by_name_with_a_way_out(name: str, tmp_path: Path) -> None:
    bad = REFUSED[name]
    needs(bad.package)
    path = tmp_path / f"image{bad.suffix}"
    bad.write(path)
    with pytest.raises(BiosynthError, match=bad.message) as refused:
        read_image(path, wish(*bad.options))
    assert isinstance(refused.value, InvalidArgument)
    assert refused.value.message.startswith(f"{path.name}: expected")


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidImage, match=r"absent\.tif: expected a readable file"):
        read_image(tmp_path / "absent.tif", wish())


@pytest.mark.parametrize(
    ("name", "content", "package"),
    [
        ("a CZI file (Zeiss)", CZI, "pylibCZIrw"),
        ("an ND2 file (Nikon)", ND2, "nd2"),
        ("a LIF file (Leica)", LIF_MAGIC, "liffile"),
        ("an OME-Zarr folder", b"", "zarr"),
    ],
)
def test_without_its_reader_a_format_is_named_with_the_extra_that_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, package: str
) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda asked: None if asked == package else find_spec(asked))
    path = tmp_path / "image"
    if content:
        path.write_bytes(content)
    else:
        path.mkdir()
        (path / "zarr.json").write_text("{}")
    with pytest.raises(InvalidImage, match=re.escape(f"a reader for {name}; it is not installed: pip install")):
        read_image(path, wish())


@pytest.mark.parametrize("name", ["PNG of 16 bit", "TIFF of 16 bit", "channels by name", "RGB of equal channels"])
def test_what_services_take_is_sent_byte_for_byte(name: str, tmp_path: Path) -> None:
    made = MADE[name]
    path = tmp_path / f"image{made.suffix}"
    made.write(path)
    image = read_image(path, wish(*made.options))
    assert image.data == path.read_bytes()
    assert "prepared" not in image.record


def test_what_is_prepared_carries_names_and_pixel_size_and_tells_what_was_done(tmp_path: Path) -> None:
    path = tmp_path / "film.ome.tif"
    ome(STACK.astype(np.float32) / 7, "TZCYX", Channel={"Name": NAMES})(path)
    image = read_image(path, wish("--time", "1", "--z", "max", "--channel", "phase"))
    assert sent(image) == {"names": ["phase"], "um": PIXEL_UM}
    told = image.record["prepared"]
    assert told["channels"] == [{"index": 1, "name": "phase"}] and (told["time"], told["z"]) == (1, "max")
    assert told["scaling"] == list(image.notes) and "float32 from" in image.notes[0]
    assert told["sent_sha256"] == hashlib.sha256(image.data).hexdigest()
    assert read_image(path, wish("--time", "1", "--z", "max", "--channel", "phase")).data == image.data


def test_two_channels_of_a_stack_are_sent_as_two(tmp_path: Path) -> None:
    path = tmp_path / "film.ome.tif"
    ome(STACK, "TZCYX", Channel={"Name": NAMES})(path)
    image = read_image(path, wish("--time", "2", "--z", "0", "--nuclei-channel", "DAPI", "--cells-channel", "phase"))
    assert image.channels == {"nuclei_channel": 0, "cells_channel": 1} and image.shown == 1
    assert sent(image)["names"] == NAMES
    for number in (0, 1):
        np.testing.assert_array_equal(decode_image(image.data, number), STACK[2, 0, number])


def test_two_colours_are_sent_as_two_channels(tmp_path: Path) -> None:
    data(encode_png(two_stains()))(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", wish("--nuclei-channel", "green", "--cells-channel", "red"))
    assert image.channels == {"nuclei_channel": 0, "cells_channel": 1} and sent(image)["names"] == ["green", "red"]
    for number, colour in ((0, 1), (1, 0)):
        np.testing.assert_array_equal(decode_image(image.data, number), two_stains()[:, :, colour])


def test_all_frames_come_one_by_one_scaled_alike(tmp_path: Path) -> None:
    frames = np.stack([FLOAT, FLOAT / 2, FLOAT / 4])
    path = tmp_path / "film.tif"
    imagej(frames, "TYX")(path)
    images = list(read_images(path, wish("--time", "all")))
    assert [image.frame for image in images] == [0, 1, 2]
    low, high = float(frames.min()), float(frames.max())
    for image, frame in zip(images, frames, strict=True):
        expected = np.rint((frame.astype(np.float64) - low) * (65535 / (high - low)))
        np.testing.assert_array_equal(image.pixels(), expected)


def test_all_frames_of_a_single_picture_are_one(tmp_path: Path) -> None:
    tiff(GREY16)(tmp_path / "a.tif")
    [image] = read_images(tmp_path / "a.tif", wish("--time", "all"))
    np.testing.assert_array_equal(image.pixels(), GREY16)


def test_where_one_image_is_wanted_all_frames_are_refused(tmp_path: Path) -> None:
    imagej(STACK[:, 0, 0], "TYX")(tmp_path / "a.tif")
    with pytest.raises(InvalidArgument, match="--time with the number of one frame; got all"):
        read_image(tmp_path / "a.tif", wish("--time", "all"))


def test_the_first_frame_chooses_the_colour_of_all(tmp_path: Path) -> None:
    frames = np.stack([coloured(0, 0, 1), np.zeros_like(coloured(0, 0, 1)), coloured(0, 0, 1)])
    path = tmp_path / "film.ome.tif"
    tifffile.imwrite(path, frames, ome=True, photometric="rgb", metadata={"axes": "TYXS"})
    images = list(read_images(path, wish("--time", "all")))
    np.testing.assert_array_equal(images[2].pixels(), GREY8)
    assert not images[1].pixels().any()


def test_more_pixels_than_are_taken_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cli.images.reading.ImageLimits", lambda: ImageLimits(max_pixels=1000))
    tiff(FLOAT)(tmp_path / "a.tif")
    with pytest.raises(
        ImageTooLarge, match="at most 1000 pixels, got 40 x 52 = 2080; crop it, or bin it by 2 to 20 x 26"
    ):
        read_image(tmp_path / "a.tif", wish())


def test_a_file_over_the_limit_is_sent_by_its_planes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "film.tif"
    imagej(np.repeat(GREY16[None], 50, 0), "TYX")(path)
    monkeypatch.setattr("services.cli.images.reading.ImageLimits", lambda: ImageLimits(max_bytes=20_000))
    image = read_image(path, wish("--time", "49"))
    assert len(image.data) < 20_000 < path.stat().st_size
    np.testing.assert_array_equal(image.pixels(), GREY16)


def test_other_files_that_an_ome_tiff_names_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "part.ome.tif"
    ome(STACK[:, 0, 0], "TYX")(path)
    content = path.read_bytes()
    named = content.replace(b'<TiffData IFD="0" PlaneCount="3"/>', b'<TiffData IFD="0" PlaneCount="1"/>')
    assert named != content
    path.write_bytes(named)
    with pytest.raises(InvalidImage, match="names other files"):
        read_image(path, wish("--time", "2"))


def test_a_folder_that_holds_ome_zarr_is_an_image(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / ".zgroup").write_text("{}")
    data(encode_png(GREY8))(tmp_path / "b.png")
    (tmp_path / "c.czi").write_bytes(CZI)
    for given in (tmp_path, tmp_path / "*"):
        assert [path.name for path in find_images([given])] == ["a.zarr", "b.png", "c.czi"]
    assert find_images([tmp_path / "a.zarr"]) == [tmp_path / "a.zarr"]
    assert are_many([tmp_path]) and not are_many([tmp_path / "a.zarr"])
