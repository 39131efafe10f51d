"""`biosynth check-tool`: from folders to files, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from services.cli.__main__ import main
from services.common.imaging.images import decode_image, encode_png
from services.common.imaging.labels import Segmentation
from services.common.imaging.ometiff import encode_segmentation
from services.evaluation.toolcheck.conditions import Level, degrade
from services.segmentation.nuclei import find_nuclei
from tests.unit.evaluation.toolcheck_sample import images

FEW = ("--noise", "0.2", "--blur", "2", "--dim", "none")
FOLDERS = ("undegraded", "noise-0.2", "blur-2")
Refused = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images with labels: a label map of 16 bit, and a segmentation."""
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    first, second = images(2).pictures
    for picture in (first, second):
        (tmp_path / "images" / f"{picture.name}.png").write_bytes(encode_png(picture.image))
    assert first.labels and first.labels.nuclei is not None and second.labels
    label_map = (first.labels.nuclei * 300).astype(np.uint16)
    (tmp_path / "labels" / f"{first.name}.png").write_bytes(encode_png(label_map))
    (tmp_path / "labels" / f"{second.name}.ome.tif").write_bytes(encode_segmentation(second.labels))
    return tmp_path


@pytest.fixture
def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run the command, which has to be refused; returns what it says. {} stands for the folder."""

    def told(*options: str, code: int = 3) -> str:
        with pytest.raises(SystemExit) as ended:
            _run(folder, *options)
        assert ended.value.code == code
        return capsys.readouterr().err

    return told


def _run(folder: Path, *options: str) -> None:
    given = [option.format(folder) for option in options]
    main(["check-tool", str(folder / "images"), "--labels", str(folder / "labels"), "--quiet", *given])


def _write_masks(folder: Path, name: str, *, skip: str = "") -> None:
    """Masks of the images that were written, by the segmenter `nuclei`."""
    for path in (folder / "worse").glob("*/*.png"):
        target = folder / name / path.relative_to(folder / "worse")
        target.parent.mkdir(parents=True, exist_ok=True)
        if f"{path.parent.name}/{path.stem}" != skip:
            target.write_bytes(encode_png(find_nuclei(decode_image(path.read_bytes())).astype(np.uint16)))


def test_masks_of_written_images_score_as_the_segmenter_that_made_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(folder, "--write-images", "{}/worse", *FEW)
    _write_masks(folder, "theirs")
    capsys.readouterr()
    _run(folder, "--segmenter", "nuclei-threshold", "--masks", "{}/theirs", "--out", "{}/out", "--json", *FEW)
    record = json.loads((folder / "out" / "toolcheck.json").read_text())
    assert json.loads(capsys.readouterr().out)["toolcheck"] == record
    ours, theirs = record["tools"]
    assert (ours["name"], theirs["name"], theirs["kind"]) == ("nuclei-threshold", "theirs", "masks")
    assert theirs["levels"] == ours["levels"] and theirs["limits"] == ours["limits"]
    assert record["images"] == {"name": "images", "fields": 2, "objects": record["images"]["objects"]}
    assert (folder / "out" / "report.html").read_text().startswith("<!doctype html>")
    assert len((folder / "out" / "toolcheck.csv").read_text().splitlines()) == 1 + 2 * 3 * 2


def test_written_images_are_those_of_the_check_with_a_manifest(folder: Path) -> None:
    _run(folder, "--write-images", "{}/worse", "--seed", "5", *FEW)
    manifest = json.loads((folder / "worse" / "manifest.json").read_text())
    assert manifest["format"] == "biosynth.toolcheck-images/1" and manifest["seed"] == 5
    assert [one["folder"] for one in manifest["folders"]] == list(FOLDERS)
    [picture, _] = images(2).pictures
    assert picture.labels and picture.labels.nuclei is not None
    noisy = degrade(picture.image, picture.labels.nuclei, Level("noise", 0.2), picture.name, 5)
    written = decode_image((folder / "worse" / "noise-0.2" / f"{picture.name}.png").read_bytes())
    assert np.array_equal(written, noisy)
    assert manifest["names"] == ["field_0", "field_1"]


def test_masks_without_folders_are_those_of_undegraded_images(folder: Path) -> None:
    _run(folder, "--masks", "{}/labels", "--out", "{}/out", *FEW)
    [tool] = json.loads((folder / "out" / "toolcheck.json").read_text())["tools"]
    [level] = tool["levels"]
    assert (level["condition"], level["figures"]["mean_ap"]["value"]) == ("undegraded", 1.0)


def test_missing_masks_are_listed(folder: Path, refused: Refused) -> None:
    _run(folder, "--write-images", "{}/worse", *FEW)
    _write_masks(folder, "theirs", skip="blur-2/field_1")
    told = refused("--masks", "{}/theirs", "--out", "{}/out", *FEW)
    assert "1 of 6 are missing: 'blur-2/field_1'" in told
    assert "2 of 2 are missing: 'undegraded/field_0', 'undegraded/field_1'" in refused(
        "--masks", "{}/images/..", "--out", "{}/out"
    )


def test_masks_of_levels_that_were_not_asked_for_are_not_passed_over(folder: Path, refused: Refused) -> None:
    _run(folder, "--write-images", "{}/worse", *FEW)
    _write_masks(folder, "theirs")
    told = refused("--masks", "{}/theirs", "--out", "{}/out", "--noise", "0.3")
    assert "there are others: 'noise-0.2'; ask for the levels that --write-images was given" in told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "expected a tool to check"),
        (("--segmenter", "nuclei"), "expected --out DIR"),
        (("--segmenter", "nope", "--out", "{}/out"), "expected a segmenter among cells, nuclei"),
        (("--segmenter", "wound", "--out", "{}/out"), "expected a segmenter that finds nuclei; wound finds wound"),
        (("--masks", "{}/absent", "--out", "{}/out"), "expected a folder of masks"),
        (("--masks", "{}/labels", "--masks", "{}/labels", "--out", "{}/out"), "masks are called as their folder is"),
        (("--write-images", "{}/worse", "--segmenter", "nuclei"), "expected --write-images alone"),
        (("--segmenter", "nuclei", "--part", "cells", "--out", "{}/out"), "expected a segmenter that finds cells"),
    ],
)
def test_what_does_not_go_together_is_refused(refused: Refused, options: tuple[str, ...], message: str) -> None:
    assert message in refused(*options)


@pytest.mark.parametrize("levels", ["0", "-1", "a", "", "0.1,nan", "11"])
def test_levels_that_no_image_can_have_are_wrong_usage(refused: Refused, levels: str) -> None:
    told = refused("--segmenter", "nuclei", "--out", "{}/out", f"--noise={levels}", code=2)
    assert "expected numbers above 0, to 10, or none" in told


def test_images_without_labels_are_listed(folder: Path, refused: Refused) -> None:
    (folder / "images" / "lonely.png").write_bytes((folder / "images" / "field_0.png").read_bytes())
    told = refused("--segmenter", "nuclei", "--out", "{}/out")
    assert "there are none for 1 of 3: 'lonely'" in told


def test_two_images_of_one_name_are_refused(folder: Path, refused: Refused) -> None:
    (folder / "images" / "field_0.tif").write_bytes(b"II*\0")
    assert "more than once: 'field_0'" in refused("--segmenter", "nuclei", "--out", "{}/out")


def test_a_folder_without_images_is_refused(folder: Path, refused: Refused) -> None:
    for path in (folder / "images").iterdir():
        path.unlink()
    assert "expected images (.png, .tif" in refused("--segmenter", "nuclei", "--out", "{}/out")


def test_labels_that_do_not_fit_are_refused_before_images_are_written(folder: Path, refused: Refused) -> None:
    bare = Segmentation(nuclei=np.zeros((96, 96), np.int32))
    (folder / "labels" / "field_1.ome.tif").write_bytes(encode_segmentation(bare))
    assert "1 of 2 have none: 'field_1'" in refused("--write-images", "{}/worse")
    assert not (folder / "worse").exists()


def test_a_damaged_file_is_named(folder: Path, refused: Refused) -> None:
    (folder / "labels" / "field_0.png").write_bytes(b"not a png")
    told = refused("--segmenter", "nuclei", "--out", "{}/out")
    assert "labels/field_0.png: expected label maps" in told


def test_images_are_not_overwritten(folder: Path, refused: Refused) -> None:
    (folder / "images").rename(folder / "undegraded")
    (folder / "images").symlink_to(folder / "undegraded")
    assert "would be overwritten" in refused("--write-images", "{}")
