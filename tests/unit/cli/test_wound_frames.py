"""How files become time series: names, times, gaps and groups."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import tifffile

from services.cli.images.wish import Wish
from services.cli.wounds.frames import list_series, split_name
from services.cli.wounds.groups import read_groups
from services.cli.wounds.intervals import hours
from services.common.errors import InvalidArgument, InvalidImage
from tests.support.lab_images import imagej

PLANE = np.zeros((20, 30), np.uint8)


def _folder(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("t10", ("", 10)),
        ("B5_t003", ("B5", 3)),
        ("t003_B5", ("B5", 3)),
        ("plate2 well7 time 12h", ("plate2 well7", 12)),
        ("sas_00", ("sas", 0)),
        ("A01-frame-7.phase", ("A01_phase", 7)),
        ("wells", None),
    ],
)
def test_a_name_tells_series_and_number(stem: str, expected: tuple[str, int] | None) -> None:
    assert split_name(stem) == expected


def test_frames_are_in_the_order_of_their_numbers_not_of_their_letters(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "well", *(f"t{number}.png" for number in (0, 1, 2, 9, 10, 11)))
    [series] = list_series([folder], 0.5, Wish())
    assert [frame.number for frame in series.frames] == [0, 1, 2, 9, 10, 11]
    assert series.hours == (0.0, 0.5, 1.0, 4.5, 5.0, 5.5)
    assert (series.name, series.missing) == ("well", (3, 4, 5, 6, 7, 8))


def test_a_missing_frame_leaves_its_gap_in_every_series_of_a_folder(tmp_path: Path) -> None:
    names = ("A1_t00", "A1_t10", "A1_t20", "B2_t10", "B2_t30")
    one, other = list_series([_folder(tmp_path / "plate", *(f"{name}.tif" for name in names))], 2.0, Wish())
    assert (one.name, one.hours, one.missing) == ("A1", (0, 2, 4), ())
    assert (other.name, other.hours, other.missing) == ("B2", (2, 6), (0, 20))


def test_series_of_several_folders_are_told_apart_by_them(tmp_path: Path) -> None:
    folders = [_folder(tmp_path / name, "t0.png", "t1.png") for name in ("A1", "A2")]
    assert [series.name for series in list_series(folders, 1.0, Wish())] == ["A1", "A2"]
    folders.append(_folder(tmp_path / "A3", "dark_0.png"))
    assert [series.name for series in list_series(folders, 1.0, Wish())] == ["A1", "A2", "A3/dark"]


def test_the_planes_of_a_stack_are_its_frames(tmp_path: Path) -> None:
    stack = tmp_path / "well.tif"
    tifffile.imwrite(stack, np.stack([PLANE, PLANE + 7, PLANE]), photometric="minisblack")
    [series] = list_series([stack], 1.0, Wish())
    assert (series.name, series.hours) == ("well", (0, 1, 2))
    assert series.frames[1].name == "well.tif[1]"
    assert series.frames[1].read().pixels().max() == 7


def test_a_folder_of_stacks_has_a_series_for_each(tmp_path: Path) -> None:
    for name in ("A1", "A2"):
        imagej(np.stack([PLANE, PLANE + 7]), "TYX")(_folder(tmp_path / "plate") / f"{name}.tif")
    assert [(one.name, one.hours) for one in list_series([tmp_path / "plate"], 1.0, Wish())] == [
        ("A1", (0, 1)),
        ("A2", (0, 1)),
    ]


def test_frames_of_a_stack_share_one_scale_and_one_colour(tmp_path: Path) -> None:
    grey, film = tmp_path / "grey.tif", tmp_path / "film.ome.tif"
    ramp = np.linspace(0.25, 1, 600, dtype=np.float32).reshape(20, 30)
    planes = np.stack([ramp, ramp / 2])
    imagej(planes, "TYX")(grey)
    [series] = list_series([grey], 1.0, Wish())
    for frame, plane in zip(series.frames, planes, strict=True):
        np.testing.assert_array_equal(
            frame.read().pixels(), np.rint((plane.astype(np.float64) - 0.125) / 0.875 * 65535)
        )
    blue = np.zeros((2, 20, 30, 3), np.uint8)
    blue[0, :, :, 2], blue[1, :, :, 0] = (ramp * 255), (ramp * 255)
    tifffile.imwrite(film, blue, ome=True, photometric="rgb", metadata={"axes": "TYXS"})
    [series] = list_series([film], 1.0, Wish())
    assert not series.frames[1].read().pixels().any(), "blue, as in the first frame"
    assert series.frames[0].read().pixels().any()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("t0.png", "control.png"), "control.png: expected a number that rises with time in every name"),
        (("t1.png", "t01.png"), "t01.png and .*t1.png are both number 1"),
        ((), "expected images"),
    ],
)
def test_names_that_tell_no_order_are_refused_naming_files(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    with pytest.raises(InvalidImage, match=words):
        list_series([_folder(tmp_path / "frames", *names)], 1.0, Wish())


def test_a_single_image_and_channels_are_no_stack(tmp_path: Path) -> None:
    single, channels = tmp_path / "one.tif", tmp_path / "two.ome.tif"
    tifffile.imwrite(single, PLANE, photometric="minisblack")
    named = {"axes": "CYX", "Channel": {"Name": ["stain", "phase"]}}
    tifffile.imwrite(channels, np.stack([PLANE, PLANE]), photometric="minisblack", metadata=named)
    with pytest.raises(InvalidImage, match=r"one.tif: expected a folder, or a stack of frames; got a single image"):
        list_series([single], 1.0, Wish())
    with pytest.raises(
        InvalidImage, match=r"two.ome.tif: expected one plane; got 2 channels .C: stain, phase.*--channel 0 to 1"
    ):
        list_series([channels], 1.0, Wish())


@pytest.mark.parametrize("text", ["", "30", "0min", "-1h", "1 week", "h"])
def test_an_interval_has_a_unit_and_is_above_zero(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a length of time such as"):
        hours(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("series,other\nA1,x\n", "expected a column 'drug'; got series, other"),
        ("", "expected a column 'series'; got no rows"),
        ("series,drug\nA1,x\nA1,y\n", "more than one for A1"),
        ("series,drug\nA1,x\nA2,\n", "expected a drug for every series; none for A2"),
        ("series,drug\nA2,x\n", "none for A1; its rows are for A2"),
        ('series,drug\n"A1,x\n', "expected a CSV file in UTF-8"),
    ],
)
def test_a_table_that_does_not_say_every_group_is_refused(tmp_path: Path, text: str, words: str) -> None:
    table = tmp_path / "wells.csv"
    table.write_text(text)
    with pytest.raises(InvalidArgument, match=words):
        read_groups(table, "drug", ["A1", "A2"])


def test_a_table_as_spreadsheets_save_it_is_read(tmp_path: Path) -> None:
    table = tmp_path / "wells.csv"
    table.write_text("series,drug\r\nA1, none \r\nA9,x\r\n", encoding="utf-8-sig")
    assert read_groups(table, "drug", ["A1"]) == {"A1": "none"}
