"""Folders of images and of references, and images of which nothing should be made."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tifffile

from services.common.imaging.images import decode_image, encode_png
from services.common.imaging.ometiff import decode_segmentation
from tests.integration.cli.test_command_line import PICTURES, SEGMENTED, Cli
from tests.support.pictures import nuclei_picture
from tests.support.unsuitable import UNSUITABLE

NUCLEI = nuclei_picture()
STOPPED = {*SEGMENTED, "overview.png", "report.html", "run.json"}


def rows(folder: Path) -> Mapping[str, dict[str, str]]:
    """The summary of a folder's results, by the folder or name below it; failed images by their file's name."""
    with (folder / "summary.csv").open(newline="", encoding="utf-8") as file:
        return {row["results"] or Path(row["image"]).name: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A folder with one picture twice, in two formats, unsuitable ones and a broken file, run into `out` beside it."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "in").mkdir()
    (folder / "in" / "cells.png").write_bytes(encode_png(NUCLEI))
    tifffile.imwrite(folder / "in" / "cells.tif", NUCLEI, resolution=(20_000, 20_000), resolutionunit="CENTIMETER")
    (folder / "in" / "broken.png").write_bytes(b"not an image")
    for name, made in UNSUITABLE.items():
        (folder / "in" / f"{name}.png").write_bytes(encode_png(made()))
    return Cli(folder)("run", folder / "in", "--out", folder / "out", "--json"), folder


def test_a_folder_is_run_image_by_image_and_what_failed_is_told(
    ran: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, folder = ran
    assert done.returncode == 3, done.stderr
    last = done.stderr.splitlines()[-2:]
    assert "1 of 9 images failed" in last[0] and last[1].startswith("broken.png: expected PNG")
    for name in ("cells_png", "cells_tif"):
        assert {path.name for path in (folder / "out" / name).iterdir()} == {*PICTURES, "report.html", "run.json"}
    answer = json.loads(done.stdout)
    assert len(answer["images"]) == 8 and [Path(one["image"]).name for one in answer["failed"]] == ["broken.png"]
    assert not (folder / "out" / "broken").exists()


def test_the_summary_has_a_line_for_each_image_with_counts_and_means(
    ran: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    _, folder = ran
    found = rows(folder / "out")
    assert {name: row["status"] for name, row in found.items()} == {
        "cells_png": "done", "cells_tif": "done", "broken.png": "failed", **dict.fromkeys(UNSUITABLE, "stopped")
    }  # fmt: skip
    one, other = found["cells_png"], found["cells_tif"]
    with (folder / "out" / "cells_tif" / "objects.csv").open(newline="") as file:
        areas = [float(row["area_um2"]) for row in csv.DictReader(file)]
    assert one["nuclei"] == other["nuclei"] == str(len(areas)) and one["nuclei_area_um2_mean"] == ""
    assert float(other["nuclei_area_um2_mean"]) == pytest.approx(np.mean(areas), rel=1e-4)
    assert float(other["nuclei_area_mean"]) == pytest.approx(4 * np.mean(areas), rel=1e-4)
    assert "expected PNG" in found["broken.png"]["why"]


@pytest.mark.parametrize("case", UNSUITABLE)
def test_nothing_is_generated_of_an_image_of_nothing_or_of_the_wrong_kind(
    ran: tuple[subprocess.CompletedProcess[str], Path], case: str
) -> None:
    done, folder = ran
    out = folder / "out" / case
    assert {path.name for path in out.iterdir()} == STOPPED
    assert decode_segmentation((out / "segmentation.ome.tif").read_bytes()).parts == ("cells", "wound")
    record = json.loads((out / "run.json").read_text())
    assert record["stopped"] and "generation" not in record
    assert f"{case}.png: {' '.join(record['stopped'])}" in done.stderr
    assert "Nothing was generated" in (out / "report.html").read_text()


def test_one_such_image_ends_with_a_code_of_its_own_and_force_generates(tmp_path: Path) -> None:
    cli, image, out = Cli(tmp_path), tmp_path / "black.png", tmp_path / "out"
    image.write_bytes(encode_png(np.zeros((96, 128), np.uint8)))
    forced = cli("run", image, "--out", out, "--model", "phase-scratch", "--force", "--appearance", "sampled")
    assert forced.returncode == 0, forced.stderr
    assert (out / "generated.png").is_file() and "Nothing was found" in forced.stderr
    done = cli("run", image, "--out", out)
    assert done.returncode == 3
    assert "nothing was generated" in done.stderr and "Nothing was found: no cells." in done.stderr
    assert {path.name for path in out.iterdir()} == STOPPED  # what the run before had made is gone
    segmented = cli("segment", image, "--out", tmp_path / "masks")
    assert segmented.returncode == 0 and "black.png: Nothing was found: no cells." in segmented.stderr


def test_a_folder_of_references_becomes_a_folder_of_images(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    level = np.zeros((64, 80), np.uint8)
    level[20:40, 20:40] = 1
    for name in ("a.reference.png", "b.reference.png"):
        (tmp_path / "in" / name).write_bytes(encode_png(level))
    (tmp_path / "in" / "a.reference_grey.png").write_bytes(encode_png(level * 127))
    (tmp_path / "in" / "broken.reference.png").write_bytes(encode_png(level + 200))
    cli = Cli(tmp_path)
    done = cli("generate", tmp_path / "in", "--model", "fluo-nuclei", "--out", tmp_path / "out", "--json")
    assert done.returncode == 3 and "1 of 3 images failed" in done.stderr and "broken.reference.png" in done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.generated.png", "b.generated.png"}
    assert len(json.loads(done.stdout)["images"]) == 2

    one = tmp_path / "in" / "a.reference.png"
    as_tiff = cli("generate", one, "--model", "fluo-nuclei", "--out", tmp_path / "a.tif")
    assert as_tiff.returncode == 0, as_tiff.stderr
    drawn = decode_image((tmp_path / "out" / "a.generated.png").read_bytes())
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), drawn)
    refused = cli("generate", one, "--model", "fluo-nuclei", "--out", tmp_path / "a.jpg")
    assert refused.returncode == 3 and "expected --out to end in .png, .tif or .tiff" in refused.stderr


def test_segment_names_files_of_one_stem_apart_and_measures_in_micrometres_as_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(encode_png(NUCLEI))
    tifffile.imwrite(tmp_path / "in" / "a.tif", NUCLEI)
    done = Cli(tmp_path)("segment", tmp_path / "in", "--pixel-size", "0.5", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    kinds = (".ome.tif", ".objects.csv", ".objects.png", ".objects.geojson", ".objects.rois.zip")
    names = {f"{stem}{kind}" for stem in ("a_png", "a_tif") for kind in kinds}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*names, "summary.csv"}
    for row in rows(tmp_path / "out").values():
        assert (row["status"], row["pixel_size_um"]) == ("done", "0.5")
        assert float(row["nuclei_area_um2_mean"]) == pytest.approx(float(row["nuclei_area_mean"]) / 4, rel=1e-4)
