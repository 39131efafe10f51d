from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from services.cli.__main__ import main
from services.common.errors import ConfigError
from services.training.generator.presets import PRESETS
from services.training.generator.trainer import TrainConfig as GeneratorConfig
from services.training.hyper import read_hyper_parameters
from services.training.segmenter.trainer import TrainConfig

RECIPES = Path(__file__).parents[2] / "services/training/segmenter/recipes"


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("steps: 12\nlearning_rate: 1\nnetwork: {widths: [8, 16]}\naugmentation: {scale: [0.7, 1.5]}\n")
    found, usual = read_hyper_parameters(path, TrainConfig(seed=3)), TrainConfig(seed=3)
    assert (found.steps, found.learning_rate) == (12, 1.0)
    assert (found.network.widths, found.augmentation.scale) == ((8, 16), (0.7, 1.5))
    assert found.augmentation.gamma == usual.augmentation.gamma
    changed = {name: getattr(found, name) for name in ("steps", "learning_rate", "network", "augmentation")}
    assert found == replace(usual, **changed)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_can_be_read(path: Path) -> None:
    assert read_hyper_parameters(path, TrainConfig()) != TrainConfig()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stepz: 3", "among steps, batch, .* got 'stepz'"),
        ("[1, 2]", "got list"),
        ("steps: many", "expected int for .*: steps; got 'many'"),
        ("steps: 1.5", "expected int"),
        ("bfloat16: 1", "expected bool"),
        ("network: 3", "among widths in .*: network; got int"),
        ("augmentation: {scale: [a, b]}", "expected float for .*: scale; got 'a'"),
        ("steps: [", "as YAML"),
    ],
)
def test_a_wrong_file_is_told_by_name(tmp_path: Path, text: str, told: str) -> None:
    refused(tmp_path, text, told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps: 0", "expected steps from 1; got 0"),
        ("batch: -1", "expected batch from 1; got -1"),
        ("learning_rate: 0", "expected learning_rate above 0; got 0.0"),
        ("learning_rate: .inf", "expected learning_rate above 0; got inf"),
        ("weight_decay: -0.1", "expected weight_decay from 0; got -0.1"),
        ("ema_decay: .nan", "expected ema_decay from 0 to 1; got nan"),
        ("seed: -1", r"expected seed from 0 to 2\^64 - 1; got -1"),
        ("crop_px: 100", "expected crop_px as a multiple of 8, the network's stride; got 100"),
        ("{crop_px: 8, batch: 1}", "expected a larger crop_px or batch, .*; got crops of 8 px, one at a time"),
        ("network: {widths: [8, 0]}", r"expected widths each from 1; got \(8, 0\)"),
        ("augmentation: {noise_chance: 1.5}", "expected noise_chance from 0 to 1; got 1.5"),
        ("augmentation: {gamma: -1}", "expected gamma from 0; got -1.0"),
        ("augmentation: {scale: [0, 2]}", r"expected scale as two numbers above 0, .*; got \(0.0, 2.0\)"),
        ("augmentation: {blur: [2, 1]}", "expected blur as two numbers above 0, the second not below the first"),
        ("augmentation: {noise: [0.1]}", r"expected noise as two numbers from 0, .*; got \(0.1,\)"),
    ],
)
def test_a_number_that_no_segmenter_can_be_trained_with_is_told_by_name(tmp_path: Path, text: str, told: str) -> None:
    refused(tmp_path, text, told)


def refused(folder: Path, text: str, told: str) -> None:
    path = folder / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_hyper_parameters(path, TrainConfig())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps: 0", "expected steps from 1; got 0"),
        ("width: -3", "expected width from 5; got -3"),
        ("width: 4", "expected width from 5; got 4"),
        ("learning_rate: .nan", "expected learning_rate above 0; got nan"),
        ("discriminator_rate: -1", "expected discriminator_rate above 0; got -1.0"),
        ("judged_from: 7", "expected judged_from from 0 to 1; got 7.0"),
        ("crop_px: 16", "expected crop_px from 32; got 16"),
        (
            "{judged_from: 0.5, coarse_weight: 0, texture_weight: 0, spectrum_weight: 0, matching_weight: 0}",
            "expected a loss that teaches before judged_from; got 0.5",
        ),
        ("beta2: 1", "expected beta2 from 0, below 1; got 1.0"),
        ("texture_weight: -1", "expected texture_weight from 0; got -1.0"),
        ("l1_weight: .inf", "expected l1_weight from 0; got inf"),
        ("jitter_px: -1", "expected jitter_px from 0; got -1"),
        ("blocks: -1", "expected blocks from 0; got -1"),
        ("{architecture: pix2pix, blocks: 9}", "expected blocks from 2 to 8; got 9"),
        ("{architecture: pix2pix, width: 0}", "expected width from 1; got 0"),
    ],
)
def test_a_number_that_no_generator_can_be_trained_with_is_told_by_name(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_hyper_parameters(path, GeneratorConfig())


def test_a_wrong_number_shows_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("width: -3")
    words = ["train", "generator", str(tmp_path / "none"), "--out", str(tmp_path / "out"), "--hyper", str(path)]
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 3
    assert "biosynth train: expected width from 5; got -3" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_changed(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("steps: 12")
    assert read_hyper_parameters(path, PRESETS[name]) == replace(PRESETS[name], steps=12)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        read_hyper_parameters(tmp_path / "none.yaml", TrainConfig())
