"""The utility experiment: arms, resuming, the table, the command."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: the `training` extra")

from services.cli.__main__ import main
from services.common.errors import InvalidArgument
from services.training.datasets.dataset import read_manifest, read_pair, write_manifest
from services.training.segmenter.network import NetworkConfig
from services.training.segmenter.trainer import TrainConfig, Trainer
from services.training.utility.arms import arms_of, generated_path, held_out
from services.training.utility.experiment import Experiment, Outcome
from services.training.utility.images import generate_missing
from services.training.utility.table import as_text, lines_of
from tests.unit.generation.fakes import BoxEngine, description

TINY = TrainConfig(steps=3, batch=2, crop_px=32, network=NetworkConfig((4, 6)), bfloat16=False)


@pytest.fixture
def generated(dataset: Path, tmp_path: Path) -> Path:
    """An image for every training pair: the real one, darker."""
    folder = tmp_path / "generated"
    folder.mkdir()
    for entry in read_manifest(dataset).chosen("train"):
        image, _ = read_pair(dataset, entry)
        cv2.imwrite(str(generated_path(folder, entry)), (image * 200).astype(np.uint8))
    return folder


def _experiment(dataset: Path, generated: Path, work: Path, config: TrainConfig = TINY) -> Experiment:
    manifest = read_manifest(dataset)
    arms, fields = arms_of(dataset, manifest, "nuclei", generated), held_out(dataset, manifest, "nuclei")
    return Experiment(arms, fields, config, (0, 1), "nuclei", "d", work)


def test_arms_have_the_same_labels_and_other_images(dataset: Path, generated: Path) -> None:
    real, made, both = arms_of(dataset, read_manifest(dataset), "nuclei", generated)
    assert [arm.name for arm in (real, made, both)] == ["real", "generated", "both"]
    assert [len(source) for source in both.sources] == [3, 3]
    for one, other in zip(real.sources[0], made.sources[0], strict=True):
        assert np.array_equal(one.labels, other.labels)
        assert one.image is not other.image


def test_a_missing_or_misfitting_generated_image_is_named(dataset: Path, generated: Path) -> None:
    manifest = read_manifest(dataset)
    path = generated_path(generated, manifest.chosen("train")[0])
    cv2.imwrite(str(path), np.zeros((5, 5), np.uint8))
    with pytest.raises(InvalidArgument, match=rf"{path.name}; got \(5, 5\) uint8"):
        arms_of(dataset, manifest, "nuclei", generated)
    path.unlink()
    with pytest.raises(InvalidArgument, match=f"{path.name}; got none"):
        arms_of(dataset, manifest, "nuclei", generated)


def test_an_interrupted_experiment_goes_on_and_finds_the_same(dataset: Path, generated: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    whole = list(_experiment(dataset, generated, tmp_path / "a").run(lambda name, steps: told.append((name, steps))))
    assert [(one.arm, one.seed) for one in whole] == [
        (arm, seed) for seed in (0, 1) for arm in ("real", "generated", "both")
    ]
    assert sum(steps for _, steps in told) == _experiment(dataset, generated, tmp_path).steps == 18

    def interrupt(name: str, _: int) -> None:
        if name == "generated, seed 0":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(_experiment(dataset, generated, tmp_path / "b").run(interrupt))
    assert list(_experiment(dataset, generated, tmp_path / "b").run(lambda *_: None)) == whole


def test_other_settings_train_anew_beside_the_former(dataset: Path, generated: Path, tmp_path: Path) -> None:
    list(_experiment(dataset, generated, tmp_path).run(lambda *_: None))
    list(_experiment(dataset, generated, tmp_path, replace(TINY, steps=2)).run(lambda *_: None))
    assert len(list(tmp_path.glob("*/outcome.json"))) == 12


def test_another_part_trains_anew(dataset: Path, generated: Path, tmp_path: Path) -> None:
    manifest = read_manifest(dataset)
    arms, fields = arms_of(dataset, manifest, "nuclei", generated)[:1], held_out(dataset, manifest, "nuclei")
    for part in ("nuclei", "cells"):
        list(Experiment(arms, fields, TINY, (0,), part, "d", tmp_path).run(lambda *_: None))
    assert len(list(tmp_path.glob("*/outcome.json"))) == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--steps", "0"), "argument --steps: expected a whole number from 1"),
        (("--seeds", "0"), "argument --seeds: expected a whole number from 1"),
        (("--seed", str(2**64 - 1), "--seeds", "2"), r"expected seeds below 2\^64; got 2 from 18446744073709551615 on"),
    ],
)
def test_numbers_that_no_experiment_has_are_refused(
    dataset: Path, tmp_path: Path, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["utility", str(dataset), "--generated", "none", "--out", str(tmp_path / "out"), *more])
    assert re.search(message, capsys.readouterr().err)


def test_the_table_has_means_intervals_over_seeds_and_shares_of_real() -> None:
    outcomes = [
        Outcome(arm, seed, 0.8, value)
        for seed, values in enumerate([(0.5, 0.4, 0.55), (0.6, 0.54, 0.6)])
        for arm, value in zip(("real", "generated", "both"), values, strict=True)
    ]
    real, made, both = lines_of(outcomes)
    assert real.mean_ap.mean == pytest.approx(0.55)
    assert made.share is not None and both.share is not None and real.share is not None
    assert made.share.mean == pytest.approx((0.8 + 0.9) / 2)
    assert real.share.interval == (1.0, 1.0)
    assert made.mean_ap.interval is not None
    low, high = made.mean_ap.interval
    assert low < 0.4 and high > 0.54  # two seeds tell little
    assert lines_of(outcomes[:3])[0].mean_ap.interval is None
    assert as_text(lines_of(outcomes)).splitlines()[0].split() == [
        "trained",
        "on",
        "AP50",
        "mean",
        "AP",
        "0.50:0.95",
        "share",
        "of",
        "real",
    ]
    nothing = [replace(outcome, mean_ap=0.0) for outcome in outcomes]
    assert lines_of(nothing)[1].share is None


def test_the_command_writes_the_table_and_all_outcomes(
    dataset: Path, generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["utility", str(dataset), "--generated", str(generated), "--out", str(tmp_path / "out")]
    main([*words, "--seeds", "1", "--steps", "2"])
    assert "trained on" in capsys.readouterr().err
    record = json.loads((tmp_path / "out" / "utility.json").read_text())
    assert record["format"] == "biosynth.utility/1"
    assert [arm["arm"] for arm in record["arms"]] == ["real", "generated", "both"]
    assert record["fields"] == {"train": {"real": 3, "generated": 3, "both": 6}, "test": 1}


def test_a_model_makes_the_images_once(dataset: Path, tmp_path: Path) -> None:
    words = ["utility", str(dataset), "--model", "fluo-nuclei", "--out", str(tmp_path / "out"), "--quiet"]
    main([*words, "--seeds", "1", "--steps", "1"])
    images = sorted((tmp_path / "out.work" / "images").glob("*/*.png"))
    assert len(images) == 3
    written = [path.stat().st_mtime_ns for path in images]
    main([*words, "--seeds", "1", "--steps", "2"])
    assert [path.stat().st_mtime_ns for path in images] == written


def test_a_dataset_that_was_made_again_gets_images_of_its_own(dataset: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(dataset, tmp_path / "copied")
    words = ["utility", str(copied), "--model", "fluo-nuclei", "--out", str(tmp_path / "out"), "--quiet"]
    main([*words, "--seeds", "1", "--steps", "1"])
    manifest = read_manifest(copied)
    write_manifest(copied, replace(manifest, entries=tuple(replace(one, sha256="b") for one in manifest.entries)))
    main([*words, "--seeds", "1", "--steps", "1"])
    folders = sorted((tmp_path / "out.work" / "images").iterdir())
    assert [len(list(folder.glob("*.png"))) for folder in folders] == [3, 3]


def test_a_baseline_whose_network_is_for_patches_makes_the_images(dataset: Path, tmp_path: Path) -> None:
    model = replace(description(), halo_px=None)
    assert list(generate_missing(dataset, read_manifest(dataset), model, BoxEngine(), 0, tmp_path)) == [1, 2, 3]
    assert len(list(tmp_path.glob("*.png"))) == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupted_command_exits_by_its_signal_and_says_what_to_type(
    dataset: Path,
    generated: Path,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(trainer: Trainer) -> dict[str, float]:
        os.kill(os.getpid(), number)
        return step(trainer)

    step = Trainer.train_step
    monkeypatch.setattr(Trainer, "train_step", interrupted)
    words = ["utility", str(dataset), "--generated", str(generated), "--out", str(tmp_path / "my table")]
    with pytest.raises(SystemExit) as left:
        main([*words, "--seeds", "1", "--steps", "3"])
    assert left.value.code == code
    said = capsys.readouterr().err
    assert "interrupted after step 1, which is saved; to go on, type\n  biosynth utility" in said
    assert f"--out '{tmp_path}/my table'" in said


def test_a_model_of_another_schema_is_refused(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["utility", str(dataset), "--model", "phase-scratch", "--out", str(tmp_path / "out")])
    assert "expected a model that draws from nuclei3" in capsys.readouterr().err
