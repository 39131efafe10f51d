"""`biosynth train --images --labels`: a dataset of one's own, and what is refused before any long work."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile

torch = pytest.importorskip("torch", reason="training needs torch: the `training` extra")

from services.cli.__main__ import main
from services.training.datasets.dataset import MANIFEST, DatasetManifest, read_labels, read_manifest, write_manifest

SIDE = 48


def _folders(root: Path, names: str = "abcde", kind: Any = np.int64) -> tuple[Path, Path]:
    """Images of 16 bit and labels of some integer type, numbered with gaps, as two folders."""
    images, labels = root / "images", root / "labels"
    for folder in (images, labels):
        folder.mkdir(parents=True)
    for seed, name in enumerate(names):
        truth, left = np.zeros((SIDE, SIDE), kind), 4 * seed
        truth[6:20, 6:20], truth[24:40, left : left + 24] = (
            3,
            np.iinfo(kind).max if np.iinfo(kind).bits < 32 else 2_000_000_000,
        )
        image = np.random.default_rng(seed).integers(300, 400, truth.shape) + 3000 * (truth > 0)
        cv2.imwrite(str(images / f"{name}.png"), image.astype(np.uint16))
        tifffile.imwrite(labels / f"{name}.tif", truth)
    return images, labels


def _train(images: Path, labels: Path, out: Path, *more: str, what: str = "segmenter") -> None:
    hyper = out.with_name("hyper.yaml")
    hyper.write_text("{batch: 1, crop_px: 32, network: {widths: [4, 6]}}" if what == "segmenter" else "{batch: 1}")
    main(
        [
            *("train", what, "--images", str(images), "--labels", str(labels), "--out", str(out), "--json", "--quiet"),
            *("--steps", "1", "--hyper", str(hyper), *more),
        ]
    )


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_two_folders_become_a_dataset_with_fields_held_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: Any
) -> None:
    images, labels = _folders(tmp_path, kind=kind)
    _train(images, labels, tmp_path / "mine", "--part", "nuclei")
    made = tmp_path / "mine.training" / "dataset"
    manifest = read_manifest(made)
    assert sorted(entry.split for entry in manifest.entries) == ["train"] * 4 + ["val"]
    found = read_labels(made, manifest.entries[0], "nuclei")
    assert len(np.unique(found)) == 3 and found[10, 10] > 0 and found[30, 20] > 0
    assert json.loads(capsys.readouterr().out)["scores"]["images"]["fields"] == 1
    assert (tmp_path / "mine" / "model.onnx").is_file()


def test_tiles_of_one_field_stay_on_one_side_and_other_content_is_another_dataset(tmp_path: Path) -> None:
    images, labels = _folders(tmp_path)
    for folder in (images, labels):
        for path in list(folder.iterdir()):
            for tile in (1, 2):
                shutil.copy(path, folder / f"well{path.stem}_{tile}{path.suffix}")
            path.unlink()
    common = ("--part", "cells", "--group", "(well.)_", "--split", "60/40", "--take-all")
    _train(images, labels, tmp_path / "mine", *common)
    manifest = read_manifest(tmp_path / "mine.training" / "dataset")
    assert manifest.schema_name == "cells4"
    sides = {(entry.group, entry.split) for entry in manifest.entries}
    assert len(sides) == 5 and sum(split == "val" for _, split in sides) == 2
    (images / "wella_1.png").write_bytes((images / "wellb_1.png").read_bytes())
    with pytest.raises(SystemExit) as left:
        _train(images, labels, tmp_path / "mine", *common)
    assert left.value.code == 3


def _no_label(images: Path, labels: Path) -> None:
    (labels / "b.tif").unlink()


def _no_image(images: Path, labels: Path) -> None:
    (images / "b.png").unlink()


def _other_size(images: Path, labels: Path) -> None:
    tifffile.imwrite(labels / "c.tif", np.zeros((SIDE, SIDE + 1), np.uint8))


def _not_a_number(images: Path, labels: Path) -> None:
    (images / "d.png").unlink()
    tifffile.imwrite(images / "d.tif", np.full((SIDE, SIDE), np.nan, np.float32))


def _negative(images: Path, labels: Path) -> None:
    tifffile.imwrite(labels / "a.tif", np.full((SIDE, SIDE), -1, np.int16))


def _one_only(images: Path, labels: Path) -> None:
    for name in "bcde":
        (images / f"{name}.png").unlink()
        (labels / f"{name}.tif").unlink()


@pytest.mark.parametrize(
    ("spoil", "more", "message"),
    [
        (_no_label, ("--part", "nuclei"), "there are none for 1 of 5: 'b'"),
        (_no_image, ("--part", "nuclei"), "has 1 without an image of their name: 'b'; move them elsewhere"),
        (
            _other_size,
            ("--part", "nuclei"),
            "labels/c.tif: expected masks of the image's size, 48 x 48 px; got 48 x 49",
        ),
        (_not_a_number, ("--part", "nuclei"), "images/d.tif: expected numbers in every pixel; got 2304 NaN"),
        (_negative, ("--part", "nuclei"), "labels/a.tif: expected labels from 0"),
        (_one_only, ("--part", "nuclei"), "expected at least two images, or two groups of them"),
        (None, (), "expected --part with --images"),
        (None, ("--part", "nuclei", "--group", "well"), "expected --group to match the name of every"),
        (None, ("--part", "nuclei", "--split", "8/1/1"), "expected two shares"),
        (None, ("--part", "nuclei", "--split", "80"), "expected shares such as 80/20"),
    ],
)
def test_folders_that_do_not_fit_are_refused_by_the_names_of_files(
    tmp_path: Path, spoil: Any, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    images, labels = _folders(tmp_path)
    if spoil:
        spoil(images, labels)
    with pytest.raises(SystemExit):
        _train(images, labels, tmp_path / "mine", *more)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "mine.training" / "checkpoint.safetensors").exists()


def _without_val(folder: Path, manifest: DatasetManifest) -> DatasetManifest:
    return replace(manifest, entries=tuple(replace(entry, split="train") for entry in manifest.entries))


def _of_another_version(folder: Path, manifest: DatasetManifest) -> DatasetManifest:
    return replace(manifest, schema_version=7)


def _with_more_levels(folder: Path, manifest: DatasetManifest) -> DatasetManifest:
    cv2.imwrite(str(folder / manifest.entries[0].reference), np.full((72, 88), 5, np.uint8))
    return manifest


def _with_infinities(folder: Path, manifest: DatasetManifest) -> DatasetManifest:
    first = replace(manifest.entries[0], image="0.tif")
    cv2.imwrite(str(folder / "0.tif"), np.full((72, 88), np.inf, np.float32))
    return replace(manifest, entries=(first, *manifest.entries[1:]))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_val, "expected at least one val field in dataset disks; got 4 train"),
        (_of_another_version, "expected dataset disks under nuclei3 v1, 3 levels; got v7, 3 levels"),
        (_with_more_levels, "expected levels 0 to 2 in 0.r.png, as the dataset's schema has; got 5"),
        (_with_infinities, "0.tif holds float32, some of them no numbers (NaN) or infinite"),
    ],
)
def test_a_dataset_that_would_train_something_else_is_refused_before_any_training(
    dataset: Path, tmp_path: Path, spoil: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = shutil.copytree(dataset, tmp_path / "copied")
    manifest = spoil(copied, read_manifest(copied))
    (copied / MANIFEST).unlink()
    write_manifest(copied, manifest)
    with pytest.raises(SystemExit) as left:
        main(["train", "generator", str(copied), "--out", str(tmp_path / "out"), "--steps", "1"])
    assert left.value.code == 3
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.training").exists()


def test_a_dataset_or_two_folders_but_not_both(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in (["--images", str(tmp_path)], [str(dataset), "--images", str(tmp_path), "--labels", str(tmp_path)]):
        with pytest.raises(SystemExit):
            main(["train", "generator", *more, "--out", str(tmp_path / "out"), "--part", "nuclei"])
        assert "expected a DATASET made by `biosynth dataset`, or --images DIR and --labels" in capsys.readouterr().err
