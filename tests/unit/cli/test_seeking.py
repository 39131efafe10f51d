"""Channels and diameters on the command line, and the pixel sizes that files tell."""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from biosynth.v1.segmentation_pb2 import SegmentRequest

from services.cli.images.reading import read_image
from services.cli.images.wish import wish_of
from services.cli.seeking import add_seeking, set_seeking
from services.common.errors import BiosynthError, InvalidArgument, InvalidImage
from services.common.imaging.images import encode_png
from tests.support.two_channels import ome_tiff

PLANE = np.zeros((20, 30), np.uint8)
PNG = encode_png(PLANE)


def _tiff(**options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, PLANE, photometric="minisblack", **options)
    return file.getvalue()


def _request(image: bytes, *words: str) -> SegmentRequest:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_seeking(parser)
    arguments, request = parser.parse_args(words), SegmentRequest()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image")
        path.write_bytes(image)
        set_seeking(request, arguments, read_image(path, wish_of(arguments)))
    return request


@pytest.mark.parametrize("written", ["30", "30px", "30 px", "30.0"])
def test_a_diameter_is_in_pixels_unless_it_says_otherwise(written: str) -> None:
    assert _request(PNG, "--diameter", written).diameter_px == 30
    assert not _request(PNG).HasField("diameter_px")


@pytest.mark.parametrize("written", ["12um", "12 µm", "12μm"])
def test_a_diameter_in_micrometres_goes_by_the_pixel_size(written: str) -> None:
    assert _request(PNG, "--diameter", written, "--pixel-size", "0.5").diameter_px == 24


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (ome_tiff(PLANE, pixel_um=0.5), 24),
        (_tiff(ome=True, metadata={"PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.25}), 48),
        (_tiff(imagej=True, resolution=(2, 2), metadata={"unit": "um"}), 24),
        (_tiff(imagej=True, resolution=(4, 4), metadata={"unit": "\\u00B5m"}), 48),
        (_tiff(resolution=(20_000, 20_000), resolutionunit="CENTIMETER"), 24),
        (_tiff(resolution=(25_400, 25_400), resolutionunit="INCH"), 12),
    ],
    ids=["OME-XML", "OME-XML in nm", "ImageJ", "ImageJ, escaped", "a centimetre", "an inch"],
)
def test_the_pixel_size_is_read_from_the_file(image: bytes, expected: float) -> None:
    assert _request(image, "--diameter", "12um").diameter_px == pytest.approx(expected)
    assert _request(image, "--diameter", "12um", "--pixel-size", "1").diameter_px == 12  # what is said goes first


@pytest.mark.parametrize(
    "image",
    [
        PNG,
        ome_tiff(PLANE),
        _tiff(),
        _tiff(resolution=(300, 300), resolutionunit="INCH"),
        _tiff(imagej=True, resolution=(2, 2)),
        _tiff(ome=True, metadata={"PhysicalSizeX": 0, "PhysicalSizeY": 0}),
        _tiff(ome=True, metadata={"PhysicalSizeX": 1, "PhysicalSizeXUnit": "reference frame", "PhysicalSizeY": 1}),
        _tiff(description="<OME>"),
    ],
    ids=["PNG", "OME without", "TIFF without", "for a printer", "ImageJ without", "zero", "no length", "torn XML"],
)
def test_where_the_pixel_size_is_not_known_the_answer_says_what_to_give(image: bytes) -> None:
    with pytest.raises(InvalidArgument, match="--pixel-size UM, or the diameter in pixels"):
        _request(image, "--diameter", "12um")
    assert _request(image, "--diameter", "12").diameter_px == 12


@pytest.mark.parametrize(
    ("image", "words", "error", "message"),
    [
        (
            _tiff(ome=True, metadata={"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.6}),
            ("--diameter", "9um"),
            InvalidImage,
            "square pixels; this file's are 0.6 x 0.5 um",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(
    image: bytes, words: tuple[str, ...], error: type[BiosynthError], message: str
) -> None:
    with pytest.raises(error, match=message):
        _request(image, *words)


def test_a_pixel_size_is_sent_for_measures_in_micrometres() -> None:
    assert _request(PNG, "--pixel-size", "0.5").pixel_size_um == 0.5
    assert not _request(PNG).HasField("pixel_size_um")


@pytest.mark.parametrize("words", [("--diameter", "large"), ("--diameter", "-3"), ("--pixel-size", "0")])
def test_what_is_no_length_is_wrong_usage(words: tuple[str, ...]) -> None:
    with pytest.raises((argparse.ArgumentError, SystemExit)):
        _request(PNG, *words)


def test_channels_are_sent_by_number_however_they_are_named() -> None:
    image = ome_tiff(PLANE, PLANE, PLANE, names=("DAPI", "GFP", "phase"))
    for words in (("0", "2"), ("DAPI", "phase")):
        request = _request(image, "--nuclei-channel", words[0], "--cells-channel", words[1])
        assert (request.nuclei_channel, request.cells_channel, request.HasField("channel")) == (0, 2, False)
    assert _request(image, "--channel", "GFP").channel == 1
    assert not _request(PNG).HasField("channel")
