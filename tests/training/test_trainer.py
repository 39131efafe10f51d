"""The training loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: the `training` extra")

from torch import nn

from services.common.errors import InvalidArgument
from services.training.generator.trainer import TrainConfig, Trainer
from services.training.loop import train
from services.training.stopping import Stop
from tests.training.untrained import untrained

TINY = TrainConfig(steps=6, batch=2, crop_px=32, width=20, blocks=1, discriminator_width=8, bfloat16=False, seed=3)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def _checkpoint(trainer: Trainer, folder: Path) -> bytes:
    trainer.save(folder)
    return (folder / "checkpoint.safetensors").read_bytes()


@pytest.mark.parametrize("differs", [{}, {"bfloat16": True}, {"judged_from": 0.7}])
def test_a_resumed_training_goes_on_bit_for_bit(dataset: Path, tmp_path: Path, differs: dict[str, Any]) -> None:
    config = replace(TINY, **differs)
    whole = untrained(dataset, config)
    expected = [whole.train_step() for _ in range(6)]

    first = untrained(dataset, config)
    seen = [first.train_step() for _ in range(3)]
    first.save(tmp_path)
    torch.manual_seed(99)  # as in another process, whose own generators must not matter
    second = untrained(dataset, replace(config))
    second.crops.generator.random(7)
    second.resume(tmp_path)
    assert second.step == 3
    seen += [second.train_step() for _ in range(3)]

    assert seen == expected
    assert _checkpoint(second, tmp_path / "second") == _checkpoint(whole, tmp_path / "whole")


def test_a_checkpoint_loaded_and_saved_is_the_same_file(dataset: Path, tmp_path: Path) -> None:
    trainer = untrained(dataset, TINY)
    trainer.train_step()
    saved = _checkpoint(trainer, tmp_path)
    other = untrained(dataset, TINY)
    other.resume(tmp_path)
    assert _checkpoint(other, tmp_path / "again") == saved


def test_train_stops_at_the_last_step_and_leaves_a_checkpoint(dataset: Path, tmp_path: Path) -> None:
    logged: list[int] = []
    trainer = untrained(dataset, TINY)
    train(trainer, tmp_path, Stop(), lambda step, _: logged.append(step), checkpoint_seconds=0.0)
    assert logged == list(range(6))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    again = untrained(dataset, TINY)
    again.resume(tmp_path)
    train(again, tmp_path, Stop(), lambda step, _: logged.append(step))
    assert len(logged) == 6


def test_a_step_changes_both_networks_and_the_average(dataset: Path) -> None:
    trainer = untrained(dataset, TINY)
    assert trainer.discriminator is not None
    networks: tuple[nn.Module, ...] = (trainer.generator, trainer.discriminator, trainer.average)
    before = [[value.detach().clone() for value in network.parameters()] for network in networks]
    values = trainer.train_step()
    assert set(values) == {"discriminator", "adversarial", "matching", "coarse", "texture", "spectrum"}
    assert all(np.isfinite(value) for value in values.values())
    for network, old in zip(networks, before, strict=True):
        assert any(not torch.equal(value, was) for value, was in zip(network.parameters(), old, strict=True))
    assert not any(value.requires_grad for value in trainer.average.parameters())


def test_the_discriminator_begins_at_its_share_of_the_steps(dataset: Path) -> None:
    trainer = untrained(dataset, replace(TINY, judged_from=0.5))
    assert ["discriminator" in trainer.train_step() for _ in range(6)] == [False] * 3 + [True] * 3


def test_training_lowers_the_coarse_loss(dataset: Path) -> None:
    trainer = untrained(dataset, replace(TINY, steps=80, learning_rate=2e-3))
    values = [trainer.train_step()["coarse"] for _ in range(80)]
    assert np.mean(values[-10:]) < 0.5 * np.mean(values[:10])


def test_a_checkpoint_of_other_hyper_parameters_is_refused(dataset: Path, tmp_path: Path) -> None:
    untrained(dataset, TINY).save(tmp_path)
    with pytest.raises(InvalidArgument, match=r"; learning_rate is 0.0004 there and 0.001 here; ask for those, or"):
        untrained(dataset, replace(TINY, learning_rate=1e-3)).resume(tmp_path)


def test_a_checkpoint_of_a_former_version_is_refused(dataset: Path, tmp_path: Path) -> None:
    former = untrained(dataset, TINY)
    former._modules = {name: module for name, module in former._modules.items() if name != "best"}
    former.save(tmp_path)
    with pytest.raises(
        InvalidArgument, match=r"expected weights of the best as this version has them .* another --work"
    ):
        untrained(dataset, TINY).resume(tmp_path)


def test_a_damaged_checkpoint_is_named(dataset: Path, tmp_path: Path) -> None:
    trainer = untrained(dataset, TINY)
    trainer.save(tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InvalidArgument, match=f"expected a checkpoint at {path}; it cannot be read .*; delete it"):
        trainer.resume(tmp_path)
