"""Files of each layout, opened by the tools that they are for, where these are installed."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
import yaml
from numpy.typing import NDArray

from services.common.imaging.images import decode_image, encode_png
from services.synthesis.layouts import layouts
from services.synthesis.layouts.coco import annotations_of
from services.synthesis.layouts.layout import Whole
from services.synthesis.layouts.yolo import polygons
from services.synthesis.order import Batch, MaskFile, Ordered, batches
from services.synthesis.sample import Sample
from tests.support.label_maps import discs

NUMBERS = range(6)
THEIR_OWN = pytest.mark.filterwarnings("ignore")  # warnings of the tools about themselves


def sample(number: int, split: str, scale: int = 1) -> Sample:
    labels = discs(40 + number, 50, 5, number) * scale
    image = np.full(labels.shape, number, np.uint8)
    line = {"name": f"{number:06d}", "split": split, "height_px": labels.shape[0], "width_px": labels.shape[1]}
    return Sample(f"{number:06d}", split, encode_png(image), labels, encode_png((labels > 0).astype(np.uint8)), line)


def laid_out(folder: Path, name: str, with_splits: bool, scale: int = 1) -> list[dict[str, Any]]:
    """Write six samples, four of them for training; their lines."""
    layout, mask = layouts()[name], MaskFile("m.png", "")
    splits = (
        ["train", layout.held_out, "train", "train", layout.held_out, "train"] if with_splits else [layout.only] * 6
    )
    ordered = [Ordered(number, mask, splits[number], 0, 0) for number in NUMBERS]
    lines: list[dict[str, Any]] = []
    for batch in batches(ordered, layout.batch):
        lines += _written(folder, layout.write(batch.name, _samples(batch, scale)), _samples(batch, scale))
    lines.sort(key=lambda line: str(line["name"]))
    for file, data in layout.finish(Whole(lines, "nuclei", lambda file: (folder / file).read_bytes())).items():
        _write(folder / file, data)
    return lines


def _samples(batch: Batch, scale: int) -> list[Sample]:
    return [sample(one.number, one.split, scale) for one in batch.images]


def _written(folder: Path, written: Any, samples: Sequence[Sample]) -> list[dict[str, Any]]:
    for file, data in written.files.items():
        _write(folder / file, data)
    return [{**one.line, **places} for one, places in zip(samples, written.places, strict=True)]


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def held(numbers: Sequence[int], images: Sequence[NDArray[Any]], masks: Sequence[NDArray[Any]]) -> None:
    """These are the images and masks of those samples."""
    assert len(images) == len(masks) == len(numbers)
    for number, image, mask in zip(numbers, images, masks, strict=True):
        np.testing.assert_array_equal(mask, sample(number, "").labels)
        assert (image == number).all() and image.shape == mask.shape


def test_pairs_are_an_image_and_a_mask_of_16_bit_or_of_32_where_labels_need_it(tmp_path: Path) -> None:
    laid_out(tmp_path / "a", "pairs", with_splits=False)
    images, masks = (sorted((tmp_path / "a" / name).iterdir()) for name in ("images", "masks"))
    assert [path.stem for path in images] == [path.stem for path in masks] == [f"{number:06d}" for number in NUMBERS]
    read = [tifffile.imread(path) for path in masks]
    assert {mask.dtype for mask in read} == {np.dtype(np.uint16)}
    held(NUMBERS, [decode_image(path.read_bytes()) for path in images], read)
    laid_out(tmp_path / "b", "pairs", with_splits=True, scale=70_000)
    wide = tifffile.imread(tmp_path / "b" / "val" / "masks" / "000001.tif")
    assert wide.dtype == np.uint32 and wide.max() == 70_000 * sample(1, "").labels.max()
    assert len(list((tmp_path / "b" / "train" / "images").iterdir())) == 4


def test_stardist_opens_its_layout_as_its_example_notebooks_do(tmp_path: Path) -> None:
    laid_out(tmp_path, "stardist", with_splits=True)
    for split, numbers in (("train", (0, 2, 3, 5)), ("test", (1, 4))):
        images, masks = (sorted((tmp_path / split).glob(f"{folder}/*.tif")) for folder in ("images", "masks"))
        assert [path.name for path in images] == [path.name for path in masks]
        held(numbers, [tifffile.imread(path) for path in images], [tifffile.imread(path) for path in masks])


@THEIR_OWN
def test_stardist_itself_takes_what_is_in_its_layout(tmp_path: Path) -> None:
    stardist = pytest.importorskip("stardist", reason="stardist is not installed")
    from csbdeep.data import RawData

    laid_out(tmp_path, "stardist", with_splits=True)
    raw = RawData.from_folder(tmp_path / "train", ["images"], "masks", axes="YX", pattern="*.tif")
    pairs = [(image, stardist.fill_label_holes(mask)) for image, mask, _, _ in raw.generator()]
    pairs.sort(key=lambda pair: int(pair[0][0, 0]))  # it lists a folder in no order
    held((0, 2, 3, 5), [image for image, _ in pairs], [mask for _, mask in pairs])


@THEIR_OWN
def test_cellpose_opens_its_layout_by_its_own_loader(tmp_path: Path) -> None:
    io_of_cellpose = pytest.importorskip("cellpose.io", reason="cellpose is not installed")
    laid_out(tmp_path, "cellpose", with_splits=True)
    found = io_of_cellpose.load_train_test_data(
        str(tmp_path / "train"), str(tmp_path / "test"), mask_filter="_masks", look_one_level_down=False
    )
    images, masks, _, test_images, test_masks, _ = found
    held((0, 2, 3, 5), images, masks)
    held((1, 4), test_images, test_masks)


def test_cellpose_finds_a_mask_beside_each_image_and_nothing_else(tmp_path: Path) -> None:
    laid_out(tmp_path, "cellpose", with_splits=False)
    names = sorted(path.name for path in (tmp_path / "train").iterdir())
    assert names == sorted(f"{number:06d}{end}" for number in NUMBERS for end in (".png", "_masks.tif"))


@THEIR_OWN
def test_pycocotools_opens_the_coco_layout(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    laid_out(tmp_path, "coco", with_splits=True)
    for split, numbers in (("train", (0, 2, 3, 5)), ("val", (1, 4))):
        opened = coco.COCO(str(tmp_path / "annotations" / f"instances_{split}.json"))
        assert [one["name"] for one in opened.loadCats(opened.getCatIds())] == ["nucleus"]
        for number, entry in zip(numbers, opened.loadImgs(opened.getImgIds()), strict=True):
            labels = sample(number, "").labels
            assert entry["file_name"] == f"{number:06d}.png"
            assert (tmp_path / split / entry["file_name"]).is_file()
            found = opened.loadAnns(opened.getAnnIds(imgIds=entry["id"]))
            for annotation, label in zip(found, np.unique(labels)[1:], strict=True):
                np.testing.assert_array_equal(opened.annToMask(annotation), labels == label)
                assert annotation["area"] == (labels == label).sum()


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_of_coco_give_back_each_object_and_its_box(seed: int) -> None:
    labels = discs(31, 47, 9, seed)
    labels[-1, -1] = 99  # an object in the last corner ends the runs
    found = list(annotations_of(labels))
    for annotation, label in zip(found, np.unique(labels)[1:], strict=True):
        counts = annotation["segmentation"]["counts"]
        flat = np.repeat(np.arange(len(counts)) % 2, counts)
        mask = flat.reshape(labels.shape[::-1]).T
        np.testing.assert_array_equal(mask, labels == label)
        left, top, width, height = annotation["bbox"]
        assert mask[top : top + height, left : left + width].sum() == mask.sum() == annotation["area"]
        assert mask[top].any() and mask[:, left + width - 1].any()


def test_yolo_has_an_image_and_its_polygons_for_each_split_and_says_where(tmp_path: Path) -> None:
    laid_out(tmp_path, "yolo", with_splits=True)
    told = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert told == {"train": "images/train", "val": "images/val", "names": {0: "nucleus"}}
    for split, numbers in (("train", (0, 2, 3, 5)), ("val", (1, 4))):
        images = sorted((tmp_path / "images" / split).iterdir())
        # The tool finds a label file by this change of its image's path.
        texts = [Path(str(path).replace("/images/", "/labels/")).with_suffix(".txt").read_text() for path in images]
        for number, text in zip(numbers, texts, strict=True):
            labels = sample(number, "").labels
            assert len(text.splitlines()) == len(np.unique(labels)) - 1


def test_polygons_of_yolo_filled_as_the_tool_fills_them_give_back_each_object() -> None:
    labels = discs(120, 90, 6, 3)
    labels[5, 5], labels[7, 20:30] = 50, 51  # a point and a line
    for line, label in zip(polygons(labels).splitlines(), np.unique(labels)[1:], strict=True):
        kind, *numbers = line.split()
        corners = np.array(numbers, np.float64).reshape(-1, 2) * labels.shape[::-1]
        mask = cv2.fillPoly(np.zeros(labels.shape, np.uint8), [corners.astype(np.int32)], 1)
        assert kind == "0" and len(corners) >= 3
        assert ((mask > 0) & (labels == label)).sum() / ((mask > 0) | (labels == label)).sum() > 0.97, label


def test_a_webdataset_holds_every_sample_once_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    lines = laid_out(tmp_path / "a", "webdataset", with_splits=True)
    laid_out(tmp_path / "b", "webdataset", with_splits=True)
    tars = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert tars == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    assert sorted(tars) == ["train-000000.tar", "val-000000.tar"]
    for number, line in zip(NUMBERS, lines, strict=True):
        with tarfile.open(fileobj=io.BytesIO(tars[line["mask"]["file"]])) as tar:
            members = {part: tar.extractfile(line[part]["member"]).read() for part in ("image", "mask")}  # type: ignore[union-attr]
        held([number], [decode_image(members["image"])], [decode_image(members["mask"])])


@THEIR_OWN
def test_webdataset_itself_reads_the_shards(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    laid_out(tmp_path, "webdataset", with_splits=True)
    read = list(webdataset.WebDataset(str(tmp_path / "train-000000.tar"), shardshuffle=False))
    assert [one["__key__"] for one in read] == ["000000", "000002", "000003", "000005"]
    held((0, 2, 3, 5), *([decode_image(one[end]) for one in read] for end in ("png", "mask.png")))
    assert json.loads(read[1]["json"])["name"] == "000002"


def test_labels_of_32_bit_are_a_tiff_in_a_webdataset(tmp_path: Path) -> None:
    lines = laid_out(tmp_path, "webdataset", with_splits=False, scale=70_000)
    assert {line["mask"]["member"].partition(".")[2] for line in lines} == {"mask.tif"}
