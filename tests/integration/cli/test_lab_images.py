"""Images of a lab, as a user of the commands meets them: stacks, colours, floating point."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.measure import label as connected

from services.common.imaging.images import encode_png
from services.common.imaging.ometiff import decode_segmentation
from tests.integration.cli.test_command_line import Cli
from tests.support.lab_images import NAMES, imagej, ome
from tests.support.mask_files import tiff
from tests.support.pictures import nuclei_picture

NUCLEI = nuclei_picture()
LIGHT = NUCLEI / 255.0


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Two frames of two channels in 32-bit floating point; nuclei are in the first channel."""
    path = tmp_path / "film.ome.tif"
    frames = np.stack([np.stack([LIGHT, 1 - LIGHT]), np.stack([LIGHT / 2, 1 - LIGHT])]).astype(np.float32)
    ome(frames, "TCYX", Channel={"Name": NAMES})(path)
    return path


def test_a_plane_of_a_float_stack_is_run_and_all_that_was_done_to_it_is_told(
    cli: Cli, film: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = cli("run", film, "--time", 0, "--channel", "DAPI", "--until", "segment", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "film.ome.tif: float32 from" in done.stderr and "was scaled to 0 to 65535" in done.stderr
    told = json.loads((out / "run.json").read_text())["input"]["prepared"]
    assert (told["channels"], told["time"]) == ([{"index": 0, "name": "DAPI"}], 0)
    assert "channel 0 DAPI, z 0, time 0; float32 from" in (out / "report.html").read_text()
    with tifffile.TiffFile(out / "segmentation.ome.tif") as file:
        image = tifffile.xml2dict(file.ome_metadata or "")["OME"]["Image"]
    assert image["Name"] == "DAPI" and image["Pixels"]["Channel"]["Name"] == "nuclei"
    assert (image["Pixels"]["PhysicalSizeX"], image["Pixels"]["PhysicalSizeY"]) == (0.65, 0.65)
    refused = cli("run", film, "--time", 0, "--out", out)
    assert refused.returncode == 3
    assert "2 times (T), 2 channels (C: DAPI, phase), 192 x 256 px; choose with --channel 0 to 1" in refused.stderr


def test_all_frames_of_a_series_are_segmented_or_run_each_by_itself(cli: Cli, film: Path, tmp_path: Path) -> None:
    done = cli("segment", film, "--time", "all", "--channel", 0, "--out", tmp_path / "masks", "--json")
    assert done.returncode == 0, done.stderr
    assert [one["results"] for one in json.loads(done.stdout)["images"]] == ["film.t0000", "film.t0001"]
    found = [decode_segmentation((tmp_path / f"masks/film.t{number:04d}.ome.tif").read_bytes()) for number in (0, 1)]
    assert all(one.nuclei is not None and one.nuclei.any() for one in found)
    with (tmp_path / "masks" / "summary.csv").open() as file:
        assert [row["results"] for row in csv.DictReader(file)] == ["film.t0000", "film.t0001"]

    runs = tmp_path / "runs"
    done = cli("run", film, "--time", "all", "--channel", "DAPI", "--until", "segment", "--out", runs)
    assert done.returncode == 0, done.stderr
    for number in (0, 1):
        record = json.loads((runs / f"t{number:04d}" / "run.json").read_text())
        assert record["input"]["prepared"]["time"] == number
    assert "2 of 2 images are in" in done.stderr


def test_a_blue_stain_is_found_as_its_grey_picture_is(cli: Cli, tmp_path: Path) -> None:
    dim = NUCLEI // 2  # whose luminance has 14 grey levels
    blue = np.zeros((*dim.shape, 3), np.uint8)
    blue[:, :, 2] = dim
    counts = {}
    for name, picture in (("blue", blue), ("grey", dim)):
        (tmp_path / f"{name}.png").write_bytes(encode_png(picture))
        done = cli("segment", tmp_path / f"{name}.png", "--segmenter", "nuclei", "--out", tmp_path / "out", "--json")
        assert done.returncode == 0, done.stderr
        assert ("blue was taken of its colours, which carry one stain" in done.stderr) == (name == "blue")
        counts[name] = json.loads(done.stdout)["images"][0]["nuclei"]
    assert counts["blue"] == counts["grey"] > 5


def test_other_commands_read_the_same_files(cli: Cli, film: Path, tmp_path: Path) -> None:
    (tmp_path / "made.png").write_bytes(encode_png((NUCLEI * 257.0).astype(np.uint16)))
    plane = ("--time", 0, "--channel", "DAPI", "--range", 0, 1)
    done = cli("compare", film, tmp_path / "made.png", *plane, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["mae"]["value"] == pytest.approx(0, abs=1e-5)

    other = ("--generated-time", 0, "--generated-channel", "DAPI", "--generated-range", 0, 1)
    done = cli("compare", film, film, *plane, *other, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["metrics"]["mae"]["value"] == 0, done.stderr

    imagej(np.stack([NUCLEI, NUCLEI]), "TYX")(tmp_path / "two.tif")
    refused = cli("compare", tmp_path / "two.tif", tmp_path / "made.png")
    assert refused.returncode == 3 and "2 times (T)" in refused.stderr
    assert cli("compare", tmp_path / "two.tif", tmp_path / "made.png", "--time", "all").returncode == 2


def test_help_says_of_which_image_an_option_is(cli: Cli) -> None:
    shown = cli("compare", "--help").stdout
    assert "which plane of REAL:\n  --channel" in shown and "which plane of GENERATED:\n  --generated-channel" in shown


def test_the_image_to_imitate_is_read_with_options_of_its_own(cli: Cli, film: Path, tmp_path: Path) -> None:
    reference = tmp_path / "reference.png"
    reference.write_bytes(encode_png((NUCLEI > 100).astype(np.uint8)))
    command = ("generate", reference, "--model", "fluo-nuclei", "--like", film, "--out", tmp_path / "out.png")
    refused = cli(*command, "--like-channel", "DAPI")
    assert refused.returncode == 3 and "choose with --like-time 0 to 1" in refused.stderr
    done = cli(*command, "--like-channel", "DAPI", "--like-time", 1, "--like-range", 0, 1)
    assert done.returncode == 0, done.stderr
    assert re.search(
        "imitated .*film.ome.tif as segmenter nuclei finds it: .*; float32 from .* was scaled", done.stderr
    )


def test_sets_are_judged_on_the_planes_that_are_meant(cli: Cli, film: Path, tmp_path: Path) -> None:
    for folder in ("real", "made", "masks"):
        (tmp_path / folder).mkdir()
    film.rename(tmp_path / "real" / "a.ome.tif")
    (tmp_path / "made" / "a.png").write_bytes(encode_png(NUCLEI // 2))
    labels = np.stack([np.zeros(NUCLEI.shape, np.int32), connected(NUCLEI > 100)])
    (tmp_path / "masks" / "a.tif").write_bytes(tiff(labels, photometric="minisblack"))
    sets = ("evaluate", tmp_path / "real", tmp_path / "made", "--labels", tmp_path / "masks", "--out", tmp_path / "out")
    refused = cli(*sets)
    assert refused.returncode == 3 and "a.ome.tif: expected one plane; got 2 times (T)" in refused.stderr
    done = cli(*sets, "--channel", "DAPI", "--time", 1, "--range", 0, 1, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["candidates"][0]["paired"]
