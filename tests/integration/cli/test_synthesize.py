"""`biosynth synthesize` on real services: what it writes, how it goes on, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from services.cli.__main__ import main
from services.common.imaging.images import decode_image, encode_png
from services.common.imaging.labels import Segmentation
from services.common.imaging.ometiff import encode_segmentation
from services.common.storage.config import StoreConfig
from services.common.storage.s3 import S3Store
from services.generation.model import SHIPPED, read_model
from tests.support.label_maps import discs
from tests.support.pictures import nuclei_picture
from tests.support.ports import free_ports
from tests.support.processes import serving
from tests.support.s3_servers import seaweedfs

KINDS = ("uint8", "uint16", "int32", "int64")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of its own, and no settings of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("BIOSYNTH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Four masks of four types and two sizes, of which one lies in a folder below."""
    folder = tmp_path / "masks"
    (folder / "below").mkdir(parents=True)
    for number, kind in enumerate(KINDS):
        labels = discs(64, 80 + 16 * (number % 2), 6, number).astype(kind)
        name = f"plate{number % 2}_{kind}"
        if number < 2:
            (folder / f"{name}.png").write_bytes(encode_png(labels))
        else:
            tifffile.imwrite(folder / ("below" if number == 3 else ".") / f"{name}.tif", labels)
    return folder


def synthesize(masks: Path, out: Path, *options: object) -> None:
    """Run the command in this process. Raises SystemExit where it fails."""
    given = ["--masks", masks, "--model", "fluo-nuclei", "--out", out, *options]
    main(["synthesize", *map(str, given)])


def refused(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str]:
    """The exit code and the words of a command that fails."""
    with pytest.raises(SystemExit) as ended:
        synthesize(*arguments)
    return int(str(ended.value.code)), capsys.readouterr().err


def manifest(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def tree(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_every_mask_is_used_as_it_is_and_then_augmented_and_the_manifest_tells_all(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    synthesize(masks, tmp_path / "out", "--count", 10, "--json")
    assert json.loads(capsys.readouterr().out) == {
        "complete": True, "count": 10, "made": 10, "out": str(tmp_path / "out"), "splits": {}
    }  # fmt: skip
    lines = manifest(tmp_path / "out")
    names = ["below/plate1_int64.tif", "plate0_int32.tif", "plate0_uint8.png", "plate1_uint16.png"]
    assert [line["source"]["file"] for line in lines] == [*names, *names, *names[:2]]
    assert [line["augmentation"] is None for line in lines] == [True] * 4 + [False] * 6
    assert len({line["seed"] for line in lines}) == 10
    assert len({json.dumps(line["appearance"]) for line in lines}) > 3
    version = read_model(SHIPPED / "fluo-nuclei").description.version
    for line in lines:
        files = {part: (tmp_path / "out" / line[part]["file"]).read_bytes() for part in ("image", "mask", "reference")}
        assert all(hashlib.sha256(data).hexdigest() == line[part]["sha256"] for part, data in files.items())
        image, mask = decode_image(files["image"]), tifffile.imread(tmp_path / "out" / line["mask"]["file"])
        assert image.shape == mask.shape == (line["height_px"], line["width_px"]) and mask.dtype == np.uint16
        assert line["objects"] == len(np.unique(mask)) - 1
        np.testing.assert_array_equal(decode_image(files["reference"]) > 0, mask > 0)
        source = (masks / line["source"]["file"]).read_bytes()
        assert hashlib.sha256(source).hexdigest() == line["source"]["sha256"]
        assert (line["model"], line["model_version"], len(line["model_sha256"])) == ("fluo-nuclei", version, 64)
    given = decode_image((masks / "plate0_uint8.png").read_bytes())
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "masks" / "000002.tif"), given)
    assert (tmp_path / "out" / "contact_sheet.png").is_file()


def test_killed_at_any_moment_the_same_command_goes_on_and_nothing_is_lost_or_doubled(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    synthesize(masks, whole, "--count", 24)
    arguments = ["synthesize", "--masks", masks, "--model", "fluo-nuclei", "--out", cut, "--count", 24]
    # A store of its own: else each image would be there already, and the command done before it is killed.
    command = [sys.executable, "-m", "services.cli", *map(str, arguments)]
    for least, end in ((3, signal.SIGKILL), (7, signal.SIGTERM), (11, signal.SIGINT)):
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / f"cache{least}")}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 100
        while len(list(cut.glob("records/*.json"))) < least and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(end)
        words = process.communicate(timeout=60)[1]
        assert process.returncode == (-end if end == signal.SIGKILL else 128 + end), words
        assert (b"the same command goes on" in words) == (end != signal.SIGKILL)
        assert not (cut / "manifest.jsonl").exists()
    done = len(list(cut.glob("records/*.json")))
    (cut / "images" / ".000099.png.1.partial").write_bytes(b"what a killed writer leaves")
    capsys.readouterr()
    synthesize(masks, cut, "--count", 24, "--json")
    assert json.loads(capsys.readouterr().out)["made"] == 24 - done
    assert tree(cut) == tree(whole)


def test_a_file_that_was_taken_away_is_made_again(masks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    synthesize(masks, out)
    before = tree(out)
    (out / "images" / "000001.png").unlink()
    synthesize(masks, out)
    assert tree(out) == before


def test_a_damaged_record_is_made_again_and_a_damaged_file_is_named(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    synthesize(masks, out)
    before = tree(out)
    (out / "records" / "000001.json").write_text("{")
    synthesize(masks, out)
    assert tree(out) == before
    (out / "masks" / "000002.tif").write_bytes(b"damaged")
    code, words = refused(capsys, masks, out)
    assert code == 3 and "masks/000002.tif: expected" in words
    assert "delete it, and the same command makes it again" in words


def test_a_damaged_tar_is_named(masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    synthesize(masks, out, "--layout", "webdataset")
    (out / "train-000000.tar").write_bytes(b"damaged")
    assert (
        "train-000000.tar: expected a tar file that holds 000000.png"
        in refused(capsys, masks, out, "--layout", "webdataset")[1]
    )


def test_an_order_of_which_nothing_was_made_may_be_changed(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, flat = tmp_path / "out", tmp_path / "flat.png"
    flat.write_bytes(encode_png(np.full((64, 80), 7, np.uint8)))
    assert refused(capsys, masks, out, "--like", flat)[0] == 3
    synthesize(masks, out)
    assert len(manifest(out)) == 4


def test_objects_that_no_model_draws_are_told(masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = discs(64, 80, 3, 5).astype(np.uint8)
    labels[0] = 0
    labels[0, 10:20] = 200
    (masks / "a.png").write_bytes(encode_png(labels))
    synthesize(masks, tmp_path / "out", "--count", 1)
    [line] = manifest(tmp_path / "out")
    [warning] = [one for one in line["warnings"] if "one pixel wide" in one]
    assert warning.startswith(f"1 of {line['objects']} objects are one pixel wide")
    assert "1 of 1 images are doubtful" in capsys.readouterr().err


@pytest.mark.parametrize("layout", ["pairs", "webdataset", "coco", "yolo"])
def test_shards_in_any_order_give_what_one_run_gives(
    masks: Path, tmp_path: Path, layout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = ("--count", 9, "--layout", layout, "--split", "70/30")
    synthesize(masks, whole, *options)
    for shard in ("3/3", "1/3", "2/3"):
        assert not (parts / "manifest.jsonl").exists()
        synthesize(masks, parts, *options, "--shard", shard)
    assert tree(parts) == tree(whole)


def test_a_split_is_by_mask_or_by_group_and_augmented_images_stay_in_it(masks: Path, tmp_path: Path) -> None:
    synthesize(masks, tmp_path / "a", "--count", 10, "--split", "50/50", "--layout", "stardist")
    lines = manifest(tmp_path / "a")
    assert len({(line["source"]["file"], line["split"]) for line in lines}) == 4
    assert {line["image"]["file"].split("/")[0] for line in lines if line["split"] == "test"} == {"test"}
    synthesize(masks, tmp_path / "b", "--count", 10, "--split", "50/50", "--group", r"(plate\d)_")
    lines = manifest(tmp_path / "b")
    assert {(line["source"]["group"], line["split"]) for line in lines} in (
        {("plate0", "train"), ("plate1", "val")}, {("plate0", "val"), ("plate1", "train")}
    )  # fmt: skip
    assert {line["source"]["file"].rpartition("/")[2][:6] for line in lines if line["split"] == "val"} < {
        "plate0",
        "plate1",
    }


def test_copies_of_a_mask_are_never_in_two_splits(masks: Path, tmp_path: Path) -> None:
    for name in ("copy1.png", "copy2.png", "below/plate0_uint8.png"):
        (masks / name).write_bytes((masks / "plate0_uint8.png").read_bytes())
    synthesize(masks, tmp_path / "out", "--split", "60/40")
    lines = manifest(tmp_path / "out")
    assert len(lines) == 7
    copies = {line["split"] for line in lines if line["source"]["sha256"] == lines[-1]["source"]["sha256"]}
    assert len({line["image"]["sha256"] for line in lines}) == 7
    assert len(copies) == 1


def test_images_to_imitate_are_taken_in_turn(masks: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for number, level in enumerate((1, 2)):
        picture = nuclei_picture(seed=number) // level
        (tmp_path / "mine" / f"{number}.png").write_bytes(encode_png(picture.astype(np.uint8)))
    synthesize(masks, tmp_path / "out", "--like", tmp_path / "mine", "--count", 5)
    lines = manifest(tmp_path / "out")
    assert [line["like"] for line in lines] == ["0.png", "1.png", "0.png", "1.png", "0.png"]
    looks = [json.dumps(line["appearance"], sort_keys=True) for line in lines]
    assert looks[0] == looks[2] == looks[4] != looks[1] == looks[3]
    assert {line["look"]["origin"] for line in lines} == {"measured"}


def test_phase_contrast_is_drawn_without_a_wound_or_with_the_zone_between_cells(masks: Path, tmp_path: Path) -> None:
    labels = np.zeros((200, 500), np.int32)
    for label, (row, column) in enumerate(np.ndindex(12, 6), start=1):
        labels[row * 16 + 2 : row * 16 + 14, column * 16 + 2 : column * 16 + 14] = label
    only = tmp_path / "cells"
    only.mkdir()
    tifffile.imwrite(only / "a.tif", labels)
    for name, options in {"none": (), "zone": ("--wound-zone",)}.items():
        synthesize(only, tmp_path / name, "--model", "phase-scratch", *options)
    without, zone = (
        decode_image((tmp_path / name / "references/000000.png").read_bytes()) for name in ("none", "zone")
    )
    assert set(np.unique(without)) == {1, 2, 3} and set(np.unique(zone)) == {0, 1, 2, 3}
    assert (zone[:, 300:] == 0).mean() > 0.9


def test_segmentations_bring_their_wound_and_the_pictures_beside_them_are_left_alone(tmp_path: Path) -> None:
    only = tmp_path / "segmented"
    only.mkdir()
    wound = np.zeros((96, 128), np.bool_)
    wound[:, 60:80] = True
    cells = np.where(wound, 0, discs()).astype(np.int32)
    (only / "a.ome.tif").write_bytes(encode_segmentation(Segmentation(cells=cells, wound=wound)))
    (only / "a.objects.png").write_bytes(encode_png(np.zeros((96, 128, 3), np.uint8)))
    (only / "a.objects.csv").write_text("part,label\n")
    synthesize(only, tmp_path / "out", "--model", "phase-scratch", "--count", 3)
    lines = manifest(tmp_path / "out")
    assert {line["source"]["file"] for line in lines} == {"a.ome.tif"}
    references = [decode_image((tmp_path / "out" / line["reference"]["file"]).read_bytes()) for line in lines]
    np.testing.assert_array_equal(references[0] == 0, wound)
    assert all((reference == 0).mean() == pytest.approx(wound.mean(), rel=0.1) for reference in references)


def test_a_count_below_the_number_of_masks_takes_the_first(masks: Path, tmp_path: Path) -> None:
    synthesize(masks, tmp_path / "out", "--count", 2)
    assert [line["source"]["file"] for line in manifest(tmp_path / "out")] == [
        "below/plate1_int64.tif", "plate0_int32.tif"
    ]  # fmt: skip


def test_empty_and_binary_masks_are_told_and_all_the_same_drawn(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (masks / "a.png").write_bytes(encode_png(np.zeros((32, 40), np.uint8)))
    (masks / "b.png").write_bytes(encode_png((discs(seed=3) > 0).astype(np.uint8) * np.uint8(255)))
    synthesize(masks, tmp_path / "out", "--count", 12)
    words = capsys.readouterr().err
    assert "1 of 6 masks show no object: 'a.png'" in words
    assert "'b.png': a mask without numbers: each connected piece was taken as an object" in words
    assert [line["objects"] for line in manifest(tmp_path / "out")][:2] == [0, 8]


def test_the_folder_of_another_order_is_refused(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    synthesize(masks, out, "--count", 2)
    before = tree(out)
    for options, field in (
        (("--seed", 1), "seed"),
        (("--count", 3), "count, masks"),
        (("--layout", "coco"), "layout"),
        (("--split", "50/50"), "split"),
        (("--appearance", "noise=0.1"), "appearance"),
        (("--model", "phase-scratch"), "model"),
    ):
        code, words = refused(capsys, masks, out, "--count", 2, *options)
        assert code == 3
        assert f"expected the order that {out} was begun with; this one has other {field}; type the same again" in words
    assert tree(out) == before


def test_a_folder_with_other_masks_is_refused(masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synthesize(masks, tmp_path / "out")
    (masks / "plate0_uint8.png").write_bytes(encode_png(discs(64, 80, 3, 9).astype(np.uint8)))
    assert "this one has other masks" in refused(capsys, masks, tmp_path / "out")[1]


def _float_mask(folder: Path) -> None:
    tifffile.imwrite(folder / "bad.tif", np.full((8, 8), 0.5, np.float32))


def _colours(folder: Path) -> None:
    (folder / "bad.png").write_bytes(encode_png(np.random.default_rng(0).integers(0, 9, (8, 8, 3)).astype(np.uint8)))


def _picture(folder: Path) -> None:
    (folder / "bad.png").write_bytes(encode_png(nuclei_picture()))


def _none(folder: Path) -> None:
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.unlink()


def _all_empty(folder: Path) -> None:
    _none(folder)
    (folder / "a.png").write_bytes(encode_png(np.zeros((8, 8), np.uint8)))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_float_mask, "bad.tif: expected a label map of whole numbers; got 0.5 in row 0, column 0"),
        (_colours, "bad.png: expected a label map in which each object has a grey value; got colours"),
        (_picture, "bad.png: expected a label map; got a picture, whose values change from pixel to pixel"),
        (_none, "expected a folder with masks (.png, .tif, .tiff, .npy); found none in"),
        (_all_empty, "all 1 are empty"),
    ],
)
def test_masks_that_are_none_are_refused_before_work_and_the_file_is_named(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Any, message: str
) -> None:
    spoil(masks)
    code, words = refused(capsys, masks, tmp_path / "out")
    assert code == 3 and message in words
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--group", "plate"), "expected --split with --group"),
        (("--split", "80/20", "--group", "well"), "expected --group to match the name of every mask"),
        (("--split", "80/20", "--group", "plate"), "expected masks of at least 2 groups for 2 splits; got 1"),
        (("--wound-zone",), "fluo-nuclei draws none"),
        (("--like-channel", "1"), "expected an image as --like"),
        (("--model", "fluo"), "expected a model among fluo-nuclei, phase-scratch; got 'fluo'"),
        (("--masks", "s3://bucket/masks"), "expected BIOSYNTH_STORE=s3"),
        (("--masks", "nosuch"), "found none in nosuch, which is not there;"),
        (("--masks", __file__), "test_synthesize.py, which is a file;"),
    ],
)
def test_what_cannot_be_ordered_is_refused(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    code, words = refused(capsys, masks, tmp_path / "out", *options)
    assert code == 3 and message in words


@pytest.mark.parametrize("option", [("--shard", "0/4"), ("--shard", "5/4"), ("--shard", "1"), ("--split", "80"),
                                    ("--split", "80/0"), ("--group", "("), ("--count", "0")])  # fmt: skip
def test_options_that_make_no_sense_are_wrong_usage(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    code, words = refused(capsys, masks, tmp_path / "out", *option)
    assert code == 2 and option[0] in words and "expected" in words


def test_results_among_masks_and_masks_among_results_are_refused(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for out in (masks, masks / "out"):
        assert "expected --out outside the folder of masks" in refused(capsys, masks, out)[1]
    assert "expected --masks outside --out" in refused(capsys, masks, tmp_path)[1]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    assert "it holds thesis.txt; choose another --out" in refused(capsys, masks, tmp_path / "full")[1]


def test_deployed_services_make_the_same_images(masks: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(encode_png(nuclei_picture()))
    order = ("--count", 5, "--like", tmp_path / "mine.png")
    synthesize(masks, tmp_path / "here", *order)
    [port] = free_ports(1)
    address = f"127.0.0.1:{port}"
    settings = {"BIOSYNTH_ADDRESS": address, "BIOSYNTH_STORE_PATH": str(tmp_path / "deployed")}
    with serving(["services.cli", "serve"], {**os.environ, **settings}):
        synthesize(masks, tmp_path / "there", *order, "--endpoint", address)
    assert list((tmp_path / "deployed").rglob("generated.png"))
    assert tree(tmp_path / "there") == tree(tmp_path / "here")


def test_masks_and_results_may_be_in_the_configured_store(
    masks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    synthesize(masks, tmp_path / "out", "--count", 6, "--layout", "coco", "--split", "50/50")
    with seaweedfs(tmp_path) as server:
        for name, value in server.settings.items():
            monkeypatch.setenv(name, value)
        store = S3Store(StoreConfig.from_env(os.environ))
        for name, data in tree(masks).items():
            store.put(f"inputs/masks/{name}", data, "application/octet-stream")
        given = (f"s3://{server.bucket}/inputs/masks", f"s3://{server.bucket}/orders/a/")
        order = ("--count", 6, "--layout", "coco", "--split", "50/50", "--model", "fluo-nuclei")
        for shard in ("2/2", "1/2"):
            main(["synthesize", "--masks", given[0], "--out", given[1], *map(str, order), "--shard", shard])
        keys = list(store.list("orders/a/"))
        made = {key.removeprefix("orders/a/"): store.get(key, 1 << 30) for key in keys}
        with pytest.raises(SystemExit):
            main(["synthesize", "--masks", given[0], "--out", "s3://elsewhere/a", *map(str, order)])
    assert made == tree(tmp_path / "out")
    assert f"expected s3://{server.bucket}/FOLDER, in the bucket that is configured" in capsys.readouterr().err
