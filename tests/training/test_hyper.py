from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from services.common.errors import ConfigError
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
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_hyper_parameters(path, TrainConfig())


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        read_hyper_parameters(tmp_path / "none.yaml", TrainConfig())
