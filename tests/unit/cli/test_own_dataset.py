"""`biosynth dataset --images --labels` and `biosynth quality`: one's own data, without torch."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from services.common.imaging.images import decode_image, encode_png
from services.common.imaging.labels import Segmentation
from services.common.imaging.ometiff import encode_segmentation
from services.training.datasets.dataset import read_labels, read_manifest, read_pair
from services.training.datasets.recipe import EXAMPLE, read_recipe
from tests.support.commands import Run, runner
from tests.support.label_maps import discs
from tests.support.mask_files import cellpose_seg, tiff


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; returns the exit code, stdout and stderr."""

    return runner(capsys)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Six images and their masks, of three wells; one blurred, one a copy, masks of two programs."""
    images, labels = tmp_path / "images", tmp_path / "labels"
    for folder in (images, labels):
        folder.mkdir()
    for seed, name in enumerate(("A1_1", "A1_2", "B1_1", "B1_2", "C1_1", "C1_2")):
        truth = discs(seed=3 if name == "C1_2" else seed)
        image = 20 + 120 * (truth > 0) + np.random.default_rng(seed).normal(0, 3, truth.shape)
        if name == "C1_1":
            image = cv2.GaussianBlur(image, (0, 0), 5) + np.random.default_rng(9).normal(0, 3, truth.shape)
        (images / f"{name}.png").write_bytes(encode_png(np.clip(np.rint(image), 0, 255).astype(np.uint8)))
        masks = {f"{name}.tif": tiff(truth)} if seed % 2 else {f"{name}_seg.npy": cellpose_seg(truth)}
        for file, data in masks.items():
            (labels / file).write_bytes(data)
    return images, labels


def _dataset(folders: tuple[Path, Path], out: Path, *more: object) -> tuple[object, ...]:
    return ("dataset", "--images", folders[0], "--labels", folders[1], "--out", out, "--json", *more)


def test_two_folders_become_a_dataset_without_the_images_that_are_not_fit(
    run: Run, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    code, answer, said = run(*_dataset(folders, tmp_path / "out", "--schema", "nuclei3", "--split", "0.5"))
    assert code == 0, said
    assert json.loads(answer)["splits"] == {"train": 2, "val": 2}
    assert "left out C1_1: out of focus (focus" in said
    assert "left out C1_2: the same picture as B1_2, or nearly" in said and "--take-all" in said
    manifest = read_manifest(tmp_path / "out")
    assert manifest.schema_name == "nuclei3"
    assert [entry.id for entry in manifest.entries] == ["A1_1", "A1_2", "B1_1", "B1_2"]
    np.testing.assert_array_equal(read_labels(tmp_path / "out", manifest.entries[0], "nuclei"), discs(seed=0))
    rows = list(csv.DictReader((tmp_path / "out" / "quality.csv").read_text().splitlines()))
    assert [row["taken"] for row in rows] == ["yes"] * 4 + ["no"] * 2


def test_images_of_any_format_become_the_dataset_that_their_grey_pictures_would(
    run: Run, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    images, _ = folders
    code, _, said = run(*_dataset(folders, tmp_path / "grey", "--schema", "nuclei3"))
    assert code == 0, said
    for path in list(images.iterdir()):
        grey = decode_image(path.read_bytes())
        blue = np.dstack([grey * 0, grey * 0, grey])
        depths = np.stack([blue * 0, blue])
        tifffile.imwrite(path.with_suffix(".ome.tif"), depths, ome=True, photometric="rgb", metadata={"axes": "ZYXS"})
        path.unlink()
    code, _, said = run(*_dataset(folders, tmp_path / "blue", "--schema", "nuclei3", "--z", "max"))
    assert code == 0, said
    assert "files: blue was taken of its colours" in said
    for entry in read_manifest(tmp_path / "grey").entries:
        for grey, blue in zip(*(read_pair(tmp_path / name, entry) for name in ("grey", "blue")), strict=True):
            np.testing.assert_array_equal(grey, blue)


def test_groups_stay_together_and_all_images_are_taken_where_that_is_asked_for(
    run: Run, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    more = ("--schema", "cells4", "--group", "([A-C]1)_", "--split", "60/40", "--take-all")
    code, _, said = run(*_dataset(folders, tmp_path / "out", *more))
    assert code == 0, said
    sides: dict[str, set[str]] = {}
    for entry in read_manifest(tmp_path / "out").entries:
        sides.setdefault(entry.group, set()).add(entry.split)
    assert sorted(sides) == ["A1", "B1", "C1"] and all(len(splits) == 1 for splits in sides.values())
    code, _, said = run(*_dataset(folders, tmp_path / "out", *more))
    assert code == 0 and said == "", "a dataset that is there is not made again"


def test_a_schema_of_cells_and_nuclei_takes_segmentations_of_both(
    run: Run, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    images, labels = folders
    code, _, said = run(*_dataset(folders, tmp_path / "out", "--schema", "levels4", "--take-all"))
    assert code == 3 and "labels/A1_1_seg.npy: expected a segmentation, an .ome.tif with named parts" in said
    for path in list(labels.iterdir()):
        path.unlink()
    for seed, path in enumerate(sorted(images.iterdir())):
        both = Segmentation(cells=discs(seed=seed), nuclei=discs(seed=seed))
        (labels / f"{path.stem}.ome.tif").write_bytes(encode_segmentation(both))
    code, _, said = run(*_dataset(folders, tmp_path / "out", "--schema", "levels4", "--take-all"))
    assert code == 0, said
    assert set(read_manifest(tmp_path / "out").entries[0].labels) == {"cells", "nuclei"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected a recipe and --data DIR, or --images DIR, --labels DIR and --schema NAME"),
        (("nuclei",), "expected a recipe and --data DIR"),
        (("nuclei", "--data", "d", "--images", "i"), "expected a recipe and --data DIR"),
        (("--images", "i", "--labels", "l"), "expected a recipe and --data DIR"),
        (("--images", "i", "--labels", "l", "--schema", "levels5"), "levels5"),
        (("--images", "i", "--labels", "l", "--schema", "nuclei3", "--split", "2"), "expected shares such as 80/20"),
        (("--images", "i", "--labels", "l", "--schema", "nuclei3", "--limit", "focus"), "expected NAME=VALUE"),
    ],
)
def test_what_does_not_say_which_dataset_is_refused(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, _, said = run("dataset", *arguments, "--out", tmp_path / "out")
    assert code in (2, 3, 4) and message in said


@pytest.mark.parametrize("place", ["images", "labels"])
def test_a_dataset_among_its_images_or_labels_is_refused_and_nothing_is_written(
    run: Run, folders: tuple[Path, Path], tmp_path: Path, place: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    out = tmp_path / "labels" / ".." / place
    code, _, said = run(*_dataset(folders, out, "--schema", "nuclei3"))
    assert code == 3 and f"apart from images and labels, which results would be among; got {out}" in said
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("option", ["--out", "--work"])
def test_a_model_or_checkpoints_among_images_are_refused(
    run: Run, folders: tuple[Path, Path], tmp_path: Path, option: str
) -> None:
    images, labels = folders
    given = ("--images", images, "--labels", labels, "--part", "nuclei")
    before = sorted(tmp_path.rglob("*"))
    code, _, said = run("train", "generator", "--looks-only", *given, "--out", tmp_path / "out", option, images)
    assert code == 3 and "apart from images and labels" in said
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dataset_that_training_would_make_among_images_is_refused(run: Run, tmp_path: Path) -> None:
    images = tmp_path / "work" / "dataset"
    images.mkdir(parents=True)
    given = ("--images", images, "--labels", images, "--part", "nuclei")
    code, _, said = run(
        "train", "generator", "--looks-only", *given, "--out", tmp_path / "out", "--work", tmp_path / "work"
    )
    assert code == 3 and "apart from images and labels" in said


def test_a_dataset_in_a_folder_below_the_images_is_made(run: Run, folders: tuple[Path, Path], tmp_path: Path) -> None:
    for _ in range(2):
        code, _, said = run(*_dataset(folders, folders[0] / "pairs", "--schema", "nuclei3"))
        assert code == 0, said


def test_help_prints_a_recipe_that_can_be_read(run: Run, tmp_path: Path) -> None:
    _, shown, _ = run("dataset", "--help")
    assert all(line in shown for line in EXAMPLE.splitlines())
    (tmp_path / "example.yaml").write_text(EXAMPLE)
    recipe = read_recipe(tmp_path / "example.yaml")
    assert (recipe.schema, recipe.sources[0].labels) == ("nuclei3", {"nuclei": "plate1/masks"})


def test_quality_prints_a_row_an_image_and_writes_a_table(run: Run, folders: tuple[Path, Path], tmp_path: Path) -> None:
    images, labels = folders
    table = tmp_path / "quality.csv"
    code, shown, said = run("quality", images, "--labels", labels, "--out", table)
    assert code == 0 and "4 of 6 images are fit to train on" in said
    lines = shown.splitlines()
    assert len(lines) == 7 and lines[5].startswith("C1_1") and "no " in lines[5] and "out of focus" in lines[5]
    assert next(csv.DictReader(table.read_text().splitlines()))["objects"] == "8"
    code, shown, _ = run("quality", images, "--json", "--limit", "focus=none", "--limit", "duplicate=none")
    answer = json.loads(shown)
    assert answer["left"] == 0 and answer["limits"]["focus"] is None
    assert answer["images"][0]["figures"]["objects"] is None


def test_quality_of_what_is_no_folder_of_images_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for path, message in (
        (tmp_path / "absent", "expected a folder of images"),
        (tmp_path, "bad.png: expected a whole PNG"),
    ):
        code, _, said = run("quality", path)
        assert code == 3 and message in said
    code, _, said = run("quality", tmp_path, "--limit", "colour=3")
    assert code == 3 and "expected limits among focus" in said
