"""A tiny generator's training whose norms are frozen, so that a batch may be shared out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from services.training.generator.trainer import TrainConfig, Trainer
from services.training.ranks import ALONE, Ranks
from tests.training.untrained import untrained

TINY = TrainConfig(steps=6, batch=4, crop_px=32, width=20, blocks=1, discriminator_width=8, bfloat16=False)


def trainer_of(dataset: Path, ranks: Ranks = ALONE) -> Trainer:
    """One that has done no step."""
    trainer = untrained(dataset, TINY, ranks)
    assert trainer.discriminator is not None
    trainer.discriminator.eval()
    return trainer


def gradients(trainer: Trainer) -> dict[str, Tensor]:
    """Of the last step, by the parameter's name."""
    networks: dict[str, Any] = {"generator": trainer.generator, "discriminator": trainer.discriminator}
    return {
        f"{name}.{key}": parameter.grad.clone()
        for name, network in networks.items()
        for key, parameter in network.named_parameters()
        if parameter.grad is not None
    }
