"""From images and labels to a dataset."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.common.imaging.intensity import to_eight_bit
from services.generation.roles import LevelRoles
from services.training.datasets.build import build, plan
from services.training.datasets.dataset import (
    MANIFEST,
    DatasetManifest,
    Entry,
    check_groups,
    fingerprint,
    read_manifest,
    read_pair,
    write_manifest,
)
from services.training.datasets.recipe import Recipe, Source

SOURCE = Source("syn", "images/*.png", "split.csv", {"nuclei": "labels"}, credit="drawn here")
RECIPE = Recipe("tiny", "nuclei3", (SOURCE,))
ROWS = "id,group,split\na,field1,train\nb,field1,train\nc,field2,val\n"


def _data(root: Path, rows: str = ROWS, names: str = "abc") -> Path:
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    (root / "split.csv").write_text(rows)
    for seed, name in enumerate(names):
        labels = np.zeros((40, 48), np.uint16)
        labels[8:20, 8:20], labels[8:20, 20:36] = 1, 300
        image = np.random.default_rng(seed).integers(10, 20, labels.shape).astype(np.uint8) + (labels > 0) * np.uint8(
            90
        )
        cv2.imwrite(str(root / "images" / f"{name}.png"), image)
        cv2.imwrite(str(root / "labels" / f"{name}.png"), labels)
    return root


def _built(root: Path, recipe: Recipe = RECIPE) -> Path:
    list(build(recipe, root / "data", root / "set"))
    return root / "set"


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_dataset_holds_the_pairs_of_its_recipe(tmp_path: Path) -> None:
    _data(tmp_path / "data")
    folder = _built(tmp_path)
    manifest = read_manifest(folder)
    assert (manifest.name, manifest.schema_name, manifest.schema_version) == ("tiny", "nuclei3", 1)
    assert manifest.roles == LevelRoles((0,), (1,), (2,))
    assert manifest.provenance == ("syn: drawn here",)
    assert [(entry.id, entry.split, entry.group) for entry in manifest.entries] == [
        ("syn-a", "train", "field1"),
        ("syn-b", "train", "field1"),
        ("syn-c", "val", "field2"),
    ]
    image, reference = read_pair(folder, manifest.chosen("val")[0])
    original = cv2.imread(str(tmp_path / "data" / "images" / "c.png"), cv2.IMREAD_UNCHANGED)
    assert original is not None
    assert np.array_equal(np.rint(image * 255), original)
    assert np.unique(reference).tolist() == [0, 1, 2]
    # Two touching nuclei: both keep their boundary.
    assert reference[14, 7:37].tolist() == [0, 2, *[1] * 10, 2, 2, *[1] * 14, 2, 0]


def test_a_dataset_is_built_twice_alike(tmp_path: Path) -> None:
    _data(tmp_path / "data")
    first = _bytes(_built(tmp_path))
    assert _bytes(_built(tmp_path)) == first
    assert len(first) == 3 * 3 + 1  # image, reference and labels of each field, and the list


@pytest.mark.parametrize("folder", ["images", "labels"])
def test_a_dataset_of_other_pixels_has_another_fingerprint(tmp_path: Path, folder: str) -> None:
    _data(tmp_path / "data")
    first = fingerprint(_built(tmp_path))
    path = tmp_path / "data" / folder / "b.png"
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    pixels[9, 9] = 0
    cv2.imwrite(str(path), pixels)
    assert fingerprint(_built(tmp_path)) != first


def test_a_dataset_of_a_former_version_without_digests_is_read(tmp_path: Path) -> None:
    _data(tmp_path / "data")
    folder = _built(tmp_path)
    built, body = read_manifest(folder), json.loads((folder / MANIFEST).read_text())
    for entry in body["entries"]:
        assert len(entry.pop("sha256")) == 64
    (folder / MANIFEST).write_text(json.dumps(body))
    assert read_manifest(folder) == replace(built, entries=tuple(replace(entry, sha256="") for entry in built.entries))


def test_a_build_that_fails_leaves_no_manifest_and_names_the_file(tmp_path: Path) -> None:
    _data(tmp_path / "data")
    folder = _built(tmp_path)
    (tmp_path / "data" / "images" / "b.png").write_bytes(b"no image")
    with pytest.raises(InvalidArgument, match=r"images/b\.png: "):
        _built(tmp_path)
    assert not (folder / MANIFEST).exists()


def test_parts_may_be_absent_or_found_by_a_segmenter(tmp_path: Path) -> None:
    _data(tmp_path / "data")
    cells = replace(SOURCE, labels={"cells": "labels"}, absent=("wound",))
    manifest = read_manifest(_built(tmp_path, Recipe("tiny", "cells4", (cells,))))
    _, reference = read_pair(tmp_path / "set", manifest.entries[0])
    assert np.unique(reference).tolist() == [1, 2, 3]
    found = replace(SOURCE, labels={}, segmenter="nuclei")
    manifest = read_manifest(_built(tmp_path, Recipe("tiny", "nuclei3", (found,))))
    assert (read_pair(tmp_path / "set", manifest.entries[0])[1] == 1).any()


def test_images_can_be_split_by_the_prefix_of_their_names(tmp_path: Path) -> None:
    _data(tmp_path / "data")
    jobs = plan(
        Recipe("tiny", "nuclei3", (replace(SOURCE, split={"a": "train", "b": "val", "c": "val"}),)), tmp_path / "data"
    )
    assert [(job.id, job.split, job.group) for job in jobs] == [
        ("syn-a", "train", "a"),
        ("syn-b", "val", "b"),
        ("syn-c", "val", "c"),
    ]


@pytest.mark.parametrize(
    "split", [{"a": "train", "ab": "val", "c": "train"}, {"c": "train", "ab": "val", "a": "train"}]
)
def test_of_prefixes_that_fit_the_longest_decides(tmp_path: Path, split: dict[str, str]) -> None:
    root = _data(tmp_path / "data")
    (root / "images" / "b.png").rename(root / "images" / "ab.png")
    jobs = plan(Recipe("tiny", "nuclei3", (replace(SOURCE, split=split),)), root)
    assert [(job.id, job.split, job.group) for job in jobs] == [
        ("syn-a", "train", "a"),
        ("syn-ab", "val", "ab"),
        ("syn-c", "train", "c"),
    ]


@pytest.mark.parametrize(
    ("change", "rows", "message"),
    [
        ({"images": "none/*.png"}, ROWS, "found none; is --data right"),
        ({"images": "/etc/*"}, ROWS, "a glob below the data root"),
        ({"split": "absent.csv"}, ROWS, "a CSV with columns id and split"),
        ({}, "name,split\na,train\n", "a CSV with columns id and split"),
        ({}, "id,split\na,train\n", r"a split for b\.png in source syn"),
        ({}, "id,split\na,train\nb,test\nc,practice\n", r"train, val, test for c\.png; got 'practice'"),
        ({}, "id,group,split\na,f,train\nb,f,val\nc,g,val\n", "torn: syn/f"),
        ({"split": {"a": "train"}}, ROWS, r"a split for b\.png"),
        ({"segmenter": "magic"}, ROWS, "expected a segmenter among .*; got magic"),
        ({"labels": {"nuclei": "elsewhere"}}, ROWS, r"images/a\.png: expected masks of nuclei in .*elsewhere named a"),
        ({"labels": {}}, ROWS, r"images/a\.png: expected at least one of"),
        ({"labels": {}, "absent": ("cells",)}, ROWS, r"images/a\.png: "),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any], rows: str, message: str
) -> None:
    _data(tmp_path / "data", rows)
    with pytest.raises(InvalidArgument, match=message):
        _built(tmp_path, Recipe("tiny", "nuclei3", (replace(SOURCE, **change),)))
    assert not (tmp_path / "set" / MANIFEST).exists()


def test_two_images_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    _data(tmp_path / "data")
    with pytest.raises(InvalidArgument, match="twice: syn-a, syn-b, syn-c"):
        plan(Recipe("tiny", "nuclei3", (SOURCE, SOURCE)), tmp_path / "data")


def test_labels_of_another_size_than_their_image_are_refused(tmp_path: Path) -> None:
    _data(tmp_path / "data")
    cv2.imwrite(str(tmp_path / "data" / "labels" / "a.png"), np.zeros((40, 49), np.uint8))
    with pytest.raises(InvalidArgument, match=r"images/a\.png: expected labels of the image's size"):
        _built(tmp_path)


def test_8_bit_keep_their_values_and_16_bit_are_stretched() -> None:
    eight = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(to_eight_bit(eight), eight)
    sixteen = np.linspace(1000, 3000, 10_000).astype(np.uint16).reshape(100, 100)
    stretched = to_eight_bit(sixteen)
    assert (int(stretched.min()), int(stretched.max())) == (0, 255)
    assert (np.diff(stretched.ravel().astype(int)) >= 0).all()
    assert np.unique(to_eight_bit(np.full((4, 4), 700, np.uint16))).tolist() == [0]


def _entry(number: int, split: str, group: str) -> Entry:
    return Entry(f"s-{number}", split, group, "s", f"{number}.reference.png", f"{number}.image.png")


@given(st.lists(st.tuples(st.sampled_from(["train", "val"]), st.sampled_from("abc"))))
def test_a_group_on_both_sides_of_the_split_is_always_noticed(drawn: list[tuple[str, str]]) -> None:
    entries = [_entry(number, split, group) for number, (split, group) in enumerate(drawn)]
    torn = {group for split, group in drawn if split == "train"} & {group for split, group in drawn if split == "val"}
    if torn:
        with pytest.raises(InvalidArgument, match="torn"):
            check_groups(entries)
    else:
        check_groups(entries)


def test_a_torn_manifest_is_not_written(tmp_path: Path) -> None:
    entries = (_entry(0, "train", "g"), _entry(1, "val", "g"))
    with pytest.raises(InvalidArgument, match="torn: s/g"):
        write_manifest(tmp_path, DatasetManifest("d", "nuclei3", 1, LevelRoles((0,), (1,), (2,)), entries))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"format": "biosynth.dataset/1"}', json.dumps({"format": "biosynth.dataset/9"})]
)
def test_a_file_that_is_no_manifest_is_refused_with_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(InvalidArgument, match="make it again with `biosynth dataset`"):
        read_manifest(tmp_path)


def test_a_folder_without_manifest_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"expected a dataset, a folder with dataset\.json"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        (None, np.zeros((4, 4), np.uint8)),
        (np.zeros((4, 4), np.uint8), None),
        (np.zeros((4, 5), np.uint8), np.zeros((4, 4), np.uint8)),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)),
        (np.zeros((4, 4), np.uint16), np.zeros((4, 4), np.uint8)),
    ],
)
def test_a_pair_that_is_none_is_refused(
    tmp_path: Path, image: NDArray[Any] | None, reference: NDArray[Any] | None
) -> None:
    for name, array in (("0.image.png", image), ("0.reference.png", reference)):
        if array is not None:
            cv2.imwrite(str(tmp_path / name), array)
    with pytest.raises(InvalidArgument, match=r"0\.image\.png and 0\.reference\.png of"):
        read_pair(tmp_path, _entry(0, "train", "g"))
