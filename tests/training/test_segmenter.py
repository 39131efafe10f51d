"""Training of segmentation networks: crops, the loop, the network's reach, and the command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: the `training` extra")

from services.cli.__main__ import main
from services.common.errors import InvalidArgument
from services.segmentation.learned.outputs import DOWN, OFFSET_UNIT_PX, RIGHT
from services.segmentation.learned.segmenter import LearnedSegmenter
from services.training.datasets.dataset import read_manifest
from services.training.segmenter.crops import Augmentation, Crops, LabelledField
from services.training.segmenter.fields import choose_part, entries_by_source, read_field
from services.training.segmenter.losses import segmentation_losses
from services.training.segmenter.network import NetworkConfig, SegmenterNetwork
from services.training.segmenter.sizes import typical_sizes
from services.training.segmenter.targets import targets_of
from services.training.segmenter.trainer import TrainConfig, Trainer

TINY = TrainConfig(steps=6, batch=2, crop_px=32, network=NetworkConfig((4, 6)), bfloat16=False, seed=3)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def _fields(dataset: Path) -> list[list[LabelledField]]:
    chosen = entries_by_source(read_manifest(dataset), "train").values()
    return [[read_field(dataset, entry, "nuclei") for entry in entries] for entries in chosen]


def test_crops_are_the_same_for_the_same_seed_and_of_one_size(dataset: Path) -> None:
    def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
        return Crops(_fields(dataset), 48, Augmentation(), np.random.default_rng(seed)).batch(6)

    images, targets = drawn(1)
    assert images.shape == (6, 1, 48, 48)
    assert targets.shape == (6, 4, 48, 48)
    assert images.dtype == targets.dtype == np.float32
    assert all(np.array_equal(*pair) for pair in zip(drawn(1), (images, targets), strict=True))
    assert not np.array_equal(drawn(2)[0], images)


def test_image_and_labels_are_cut_turned_and_scaled_alike() -> None:
    labels = np.zeros((60, 70), np.int32)
    labels[10:30, 15:50] = 1
    field = LabelledField("one", (labels > 0).astype(np.float32), labels)
    plain = Augmentation(intensity_chance=0, blur_chance=0, noise_chance=0, slope_chance=0, scale_chance=1.0)
    images, targets = Crops([[field]], 40, plain, np.random.default_rng(0)).batch(30)
    inside, shown = targets[:, 0] > 0, images[:, 0] > 0.5
    assert inside.any()
    assert np.mean(inside != shown) < 0.02  # only along edges


def test_the_mirror_image_of_an_object_is_another_object_and_of_a_cut_one_the_rest() -> None:
    labels = np.zeros((32, 32), np.int32)
    labels[4:12, 4:12], labels[26:32, 4:12] = 1, 2  # the second is cut at the lower border
    still = Augmentation(scale_chance=0, intensity_chance=0, blur_chance=0, slope_chance=0, noise_chance=0)
    field = LabelledField("one", labels.astype(np.float32), labels)
    _, targets = Crops([[field]], 64, still, np.random.default_rng(0)).batch(4)
    farthest = OFFSET_UNIT_PX * np.hypot(targets[:, DOWN], targets[:, RIGHT]).max()
    assert farthest <= np.hypot(6, 4)  # none points beyond its own object; mirror images are 40 px apart


def _changed(invert_chance: float = 0, coarse_chance: float = 0) -> tuple[np.ndarray, np.ndarray]:
    """A crop of noise with two objects, changed in one way only, and its targets; the field is the crop."""
    labels = np.zeros((40, 40), np.int32)
    labels[5:20, 5:30], labels[25:35, 10:20] = 1, 2
    image = np.random.default_rng(1).random((40, 40), np.float32)
    none = Augmentation(scale_chance=0, intensity_chance=0, blur_chance=0, slope_chance=0, noise_chance=0)
    changes = replace(none, invert_chance=invert_chance, coarse_chance=coarse_chance)
    images, targets = Crops([[LabelledField("one", image, labels)]], 40, changes, np.random.default_rng(0)).batch(1)
    return images[0, 0], targets[0]


def test_an_inverted_crop_is_dark_where_it_was_bright_with_the_same_targets() -> None:
    (plain, targets), (inverted, same) = _changed(), _changed(invert_chance=1.0)
    assert np.allclose(inverted, 1 - plain)
    assert np.array_equal(targets, same)


def test_a_coarse_crop_has_less_detail_and_the_same_targets() -> None:
    (plain, targets), (coarse, same) = _changed(), _changed(coarse_chance=1.0)
    assert coarse.shape == plain.shape
    assert coarse.std() < 0.8 * plain.std()
    assert np.array_equal(targets, same)


def test_crops_without_fields_are_refused() -> None:
    none: Sequence[Sequence[LabelledField]] = ()
    for sources in (none, ((),)):
        with pytest.raises(InvalidArgument, match="expected at least one labelled field of every kind"):
            Crops(sources, 32, Augmentation(), np.random.default_rng(0))


def _empty(field: LabelledField) -> LabelledField:
    return replace(field, labels=np.zeros_like(field.labels))


def test_a_kind_of_image_that_shows_no_object_says_nothing_of_sizes(dataset: Path) -> None:
    [fields] = _fields(dataset)
    empty = [_empty(field) for field in fields]
    found = typical_sizes([fields])
    assert np.isfinite(found).all()
    assert typical_sizes([empty, fields]) == typical_sizes([fields, empty]) == found


def test_fields_of_which_none_shows_an_object_are_refused_before_any_training(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = shutil.copytree(dataset, tmp_path / "copied")
    for entry in read_manifest(copied).chosen("train"):
        path = copied / entry.labels["nuclei"]
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert labels is not None
        cv2.imwrite(str(path), np.zeros_like(labels))
    with pytest.raises(SystemExit) as left:
        main(["train", "segmenter", str(copied), "--out", str(tmp_path / "out"), "--steps", "1"])
    assert left.value.code == 3
    assert "expected training fields whose labels show objects; got 3 fields without any" in capsys.readouterr().err
    assert not (tmp_path / "out.training").exists()


def test_a_perfect_output_has_hardly_any_loss() -> None:
    labels = np.zeros((32, 32), np.int32)
    labels[4:14, 5:20], labels[18:30, 8:26] = 1, 2
    target = torch.from_numpy(targets_of(labels))[None]
    perfect = target.clone()
    perfect[:, 0] = 40 * perfect[:, 0] - 20
    good = {name: loss.item() for name, loss in segmentation_losses(perfect, target).items()}
    bad = {name: loss.item() for name, loss in segmentation_losses(torch.zeros_like(target), target).items()}
    assert all(loss < 1e-3 for loss in good.values())
    assert all(bad[name] > 0.05 for name in bad)


def test_a_training_learns_its_fields(dataset: Path) -> None:
    trainer = Trainer(replace(TINY, steps=120, learning_rate=2e-2), _fields(dataset))
    losses = [sum(trainer.train_step().values()) for _ in range(120)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])


@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_resumed_training_goes_on_bit_for_bit(dataset: Path, tmp_path: Path, bfloat16: bool) -> None:
    config = replace(TINY, bfloat16=bfloat16)
    whole = Trainer(config, _fields(dataset), "d")
    expected = [whole.train_step() for _ in range(6)]
    first = Trainer(config, _fields(dataset), "d")
    seen = [first.train_step() for _ in range(3)]
    first.save(tmp_path)
    torch.manual_seed(99)
    second = Trainer(config, _fields(dataset), "d")
    second.resume(tmp_path)
    seen += [second.train_step() for _ in range(3)]
    assert seen == expected
    for name, value in whole.average.state_dict().items():
        assert torch.equal(value, second.average.state_dict()[name]), name


@pytest.mark.parametrize("widths", [(4, 6), (4, 6, 8), (3, 4, 5, 6)])
def test_no_pixel_sees_beyond_the_halo(widths: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    config = NetworkConfig(widths)
    network = SegmenterNetwork(config).eval().double()
    side = 2 * config.halo_px + 4 * config.stride_px
    image = torch.randn(1, 1, side, side, dtype=torch.float64)
    changed = image.clone()
    middle = side // 2
    changed[..., middle, middle] += 100
    with torch.no_grad():
        rows = (network(changed)[0] - network(image)[0]).abs().amax((0, 1, 3)).nonzero().ravel()
    assert rows.min() >= middle - config.halo_px
    assert rows.max() <= middle + config.halo_px


def test_train_segmenter_writes_a_model_with_its_card(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "disks"
    main(["train", "segmenter", str(dataset), "--out", str(out), "--steps", "2", "--json", "--quiet"])
    record = json.loads(capsys.readouterr().out)
    assert record["training"]["fields"] == {"s": 3}
    assert sorted(path.name for path in out.iterdir()) == ["CARD.md", "model.json", "model.onnx"]
    learned = LearnedSegmenter(out)
    assert learned.description.part == "nuclei"
    assert learned.find(np.zeros((30, 50), np.uint8)).labels.shape == (30, 50)
    assert learned.describe(np.zeros((2, 64, 64), np.float32)).shape == (2, learned.description.features)
    card = (out / "CARD.md").read_text()
    assert "| s | 1 |" in card
    assert "s: drawn by this test" in card


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--part", "cells"), "expected --part cells among the labels of disks, which are nuclei"),
        (("--version", "1.2"), "expected --version of a segmenter as a whole number"),
        (("--looks-only",), "only generators have looks"),
        (("--steps", "0"), "argument --steps: expected a whole number from 1"),
    ],
)
def test_what_would_fail_fails_before_any_training(
    dataset: Path, tmp_path: Path, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "segmenter", str(dataset), "--out", str(tmp_path / "out"), *more])
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.training").exists()


def test_a_held_out_field_that_misfits_shows_before_any_training(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = shutil.copytree(dataset, tmp_path / "copied")
    entry = read_manifest(copied).chosen("val")[0]
    cv2.imwrite(str(copied / entry.labels["nuclei"]), np.zeros((5, 5), np.uint16))
    with pytest.raises(SystemExit):
        main(["train", "segmenter", str(copied), "--out", str(tmp_path / "out"), "--steps", "1"])
    assert f"expected labels of the image's size (72, 88) for {entry.id}; got (5, 5)" in capsys.readouterr().err
    assert not (tmp_path / "out.training").exists()


def test_labels_of_another_segmenter_are_not_learned(dataset: Path) -> None:
    manifest = read_manifest(dataset)
    copied = replace(manifest, entries=tuple(replace(entry, labelled_by="nuclei") for entry in manifest.entries))
    with pytest.raises(InvalidArgument, match="expected train fields of disks that people labelled"):
        entries_by_source(copied, "train")
    with pytest.raises(InvalidArgument, match="make it again"):
        choose_part(replace(manifest, entries=tuple(replace(entry, labels={}) for entry in manifest.entries)))
