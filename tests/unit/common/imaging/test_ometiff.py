"""Segmentations as OME-TIFF."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from biosynth.contract import PARTS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from services.common.errors import InvalidImage, InvalidSegmentation
from services.common.imaging.images import decode_image, encode_png
from services.common.imaging.labels import Segmentation
from services.common.imaging.ometiff import (
    decode_segmentation,
    encode_channels,
    encode_segmentation,
    segmentation_from_planes,
)

CELLS = np.zeros((40, 50), np.int32)
CELLS[3:9, 4:9] = 7
CELLS[20:30] = 300
WOUND = CELLS == 300


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what bioio imports, not of ours
def test_bioio_reads_planes_names_and_pixel_sizes(tmp_path: Path) -> None:
    bioio = pytest.importorskip("bioio", reason="bioio and bioio-ome-tiff are not installed")
    planes = np.stack([CELLS, CELLS + 1]).astype(np.uint16)
    written = {
        "masks.ome.tif": (encode_segmentation(Segmentation(CELLS, CELLS + 1), (0.5, 0.65)), list(PARTS[:2])),
        "image.ome.tif": (encode_channels(planes, ["DAPI", "phase"], (0.5, 0.65)), ["DAPI", "phase"]),
    }
    for name, (data, names) in written.items():
        (tmp_path / name).write_bytes(data)
        image = bioio.BioImage(tmp_path / name)
        assert [str(channel) for channel in image.channel_names] == names
        assert (image.physical_pixel_sizes.Y, image.physical_pixel_sizes.X) == (0.5, 0.65)
        np.testing.assert_array_equal(image.get_image_data("CYX"), planes)


@st.composite
def segmentations(draw: st.DrawFn) -> Segmentation:
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=30))
    parts = draw(st.sets(st.sampled_from(PARTS), min_size=1))
    labels = hnp.arrays(np.int32, shape, elements=st.integers(0, draw(st.sampled_from([5, 65_535, 65_536, 2**31 - 1]))))
    return Segmentation(
        draw(labels) if "cells" in parts else None,
        draw(labels) if "nuclei" in parts else None,
        draw(hnp.arrays(np.bool_, shape)) if "wound" in parts else None,
    )


@settings(deadline=None, max_examples=60)
@given(segmentations())
def test_a_segmentation_survives_the_file_and_equal_ones_give_equal_bytes(segmentation: Segmentation) -> None:
    data = encode_segmentation(segmentation)
    assert data == encode_segmentation(segmentation)
    decoded = decode_segmentation(data)
    assert decoded.parts == segmentation.parts
    for name in segmentation.parts:
        expected = getattr(segmentation, name)
        assert getattr(decoded, name).dtype == expected.dtype
        np.testing.assert_array_equal(getattr(decoded, name), expected)


def test_the_file_is_ome_with_a_named_channel_a_part() -> None:
    with tifffile.TiffFile(io.BytesIO(encode_segmentation(Segmentation(CELLS, CELLS, WOUND)))) as file:
        assert file.is_ome
        assert (file.series[0].axes, file.series[0].shape) == ("CYX", (3, 40, 50))
        assert file.ome_metadata is not None
        root = ElementTree.fromstring(file.ome_metadata)  # noqa: S314 - our own
        channels = list(root.iter(f"{root.tag[:-3]}Channel"))
        assert [channel.get("Name") for channel in channels] == list(PARTS)
        assert {channel.get("Color") for channel in channels} == {"-1"}  # white; napari-tiff shows none as black
        assert file.series[0].dtype == np.uint16


def test_labels_above_65535_make_the_whole_file_32_bit() -> None:
    with tifffile.TiffFile(io.BytesIO(encode_segmentation(Segmentation(CELLS * 1000, wound=WOUND)))) as file:
        assert file.series[0].dtype == np.uint32


def test_the_uuid_names_the_content_and_nothing_names_the_day() -> None:
    def description(segmentation: Segmentation) -> str:
        with tifffile.TiffFile(io.BytesIO(encode_segmentation(segmentation))) as file:
            assert not {"DateTime", "Artist", "HostComputer"} & {tag.name for tag in file.pages.first.tags}
            return str(file.ome_metadata)

    cells, nuclei = description(Segmentation(cells=CELLS)), description(Segmentation(nuclei=CELLS))
    assert cells == description(Segmentation(cells=CELLS.copy()))
    assert cells.partition("UUID=")[2][:50] != nuclei.partition("UUID=")[2][:50]
    assert tifffile.__version__ not in cells


def test_a_part_can_be_looked_at_as_an_image() -> None:
    np.testing.assert_array_equal(decode_image(encode_segmentation(Segmentation(CELLS, wound=WOUND)), 0), CELLS)


def test_negative_labels_are_refused() -> None:
    with pytest.raises(InvalidSegmentation, match="labels from 0"):
        encode_segmentation(Segmentation(cells=CELLS - 1))


def test_labels_beyond_int32_are_refused() -> None:
    with pytest.raises(InvalidSegmentation, match=r"up to 2147483647 in cells, got 4294967295"):
        segmentation_from_planes({"cells": np.full((2, 2), 2**32 - 1, np.uint32)})


def _tiff(*names: str) -> bytes:
    file = io.BytesIO()
    planes = np.zeros((len(names), 8, 8), np.uint16)
    tifffile.imwrite(file, planes, ome=True, metadata={"axes": "CYX", "Channel": {"Name": list(names)}})
    return file.getvalue()


def _plain_tiff() -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, CELLS.astype(np.uint16))
    return file.getvalue()


def _pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array({"masks": CELLS}, dtype=object), allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", InvalidImage, "0 bytes"),
        (encode_png(CELLS.astype(np.uint16)), InvalidSegmentation, r"OME-TIFF.*begins with 89 50"),
        (_tiff("DAPI", "cells"), InvalidSegmentation, r"among cells, nuclei, wound, got 'DAPI', 'cells'"),
        (_tiff("cells", "cells"), InvalidSegmentation, r"got 'cells', 'cells'"),
        (_plain_tiff(), InvalidSegmentation, r"got 1 without names; send them as a raster"),
        (_pickled(), InvalidSegmentation, r"never opened; in Cellpose, export.*_cp_masks"),
        (b"\x80\x04\x95" + bytes(20), InvalidSegmentation, "never opened"),
        (encode_segmentation(Segmentation(cells=CELLS))[:-9], InvalidImage, "whole TIFF"),
    ],
    ids=["nothing", "png", "other channels", "twice", "no names", "cellpose", "pickle", "cut off"],
)
def test_what_is_no_segmentation_is_refused(data: bytes, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        decode_segmentation(data)
