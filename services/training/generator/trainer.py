"""What one step does to the generator and its discriminator."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from services.generation.conditions import TEXTURE_SCALES_PX
from services.generation.network import Generator, NetworkConfig
from services.training.average import update_average
from services.training.generator import losses
from services.training.generator.crops import Batch, Crops
from services.training.generator.discriminator import Discriminator
from services.training.ranks import ALONE, Ranks
from services.training.training import Training


@dataclass(frozen=True)
class TrainConfig:
    """Hyper-parameters of one training, saved beside the weights."""

    steps: int = 5000
    batch: int = 8
    crop_px: int = 128
    learning_rate: float = 4e-4
    discriminator_rate: float = 4e-4
    discriminator_width: int = 40
    coarse_weight: float = 4.0
    matching_weight: float = 2.0
    texture_weight: float = 8.0
    ema_decay: float = 0.999
    width: int = 80
    blocks: int = 4
    bfloat16: bool = True
    seed: int = 0


class Trainer(Training):
    """Trains a generator on crops. dataset: its fingerprint. best: averaged weights that an examination kept."""

    def __init__(self, config: TrainConfig, planes: int, crops: Crops, dataset: str = "", ranks: Ranks = ALONE) -> None:
        torch.manual_seed(config.seed)
        self.config, self.crops = config, crops
        self.generator = Generator(NetworkConfig(planes, config.width, config.blocks))
        # The discriminator sees all planes that the generator does, except the texture noise, which comes last.
        self.judged = planes - len(TEXTURE_SCALES_PX)
        self.discriminator = Discriminator(self.judged, config.discriminator_width)
        for network in (self.generator, self.discriminator):
            network.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.best = copy.deepcopy(self.average)
        rates = (config.learning_rate, config.discriminator_rate)
        networks: tuple[nn.Module, nn.Module] = (self.generator, self.discriminator)
        self.optimisers = [
            torch.optim.Adam(network.parameters(), lr=rate, betas=(0.5, 0.99))
            for network, rate in zip(networks, rates, strict=True)
        ]
        modules = {
            "generator": self.generator,
            "average": self.average,
            "best": self.best,
            "discriminator": self.discriminator,
        }
        super().__init__(config, modules, self.optimisers, crops.generator, dataset, ranks)

    def train_step(self) -> dict[str, float]:
        """One step of each network; returns the losses."""
        self._set_rates()
        planes, target, scale = _tensors(self.crops.batch(self.config.batch), self.ranks.part(self.config.batch))
        conditions, target = planes[:, : self.judged], losses.squash(target)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            clean = self.generator(planes).float()
            seen = losses.squash(losses.camera(clean, scale, self.ranks.noise_like(clean)))
            values = {"discriminator": self._step_discriminator(conditions, target, seen.detach())}
            values |= self._step_generator(conditions, target, seen, clean)
        update_average(self.average, self.generator, self.step, self.config.ema_decay)
        self.step += 1
        return values

    def _step_discriminator(self, conditions: Tensor, target: Tensor, seen: Tensor) -> float:
        loss = losses.discriminator_loss(self.discriminator(conditions, target), self.discriminator(conditions, seen))
        self.descend(self.optimisers[1], loss)
        return float(loss.detach())

    def _step_generator(self, conditions: Tensor, target: Tensor, seen: Tensor, clean: Tensor) -> dict[str, float]:
        self.discriminator.requires_grad_(False)
        with torch.no_grad():
            real = self.discriminator(conditions, target)
        generated = self.discriminator(conditions, seen)
        weights = {
            "adversarial": (1.0, losses.adversarial_loss(generated)),
            "matching": (self.config.matching_weight, losses.matching_loss(real, generated)),
            "coarse": (self.config.coarse_weight, losses.coarse_loss(losses.squash(clean), target)),
            "texture": (self.config.texture_weight, losses.texture_loss(seen, target)),
        }
        self.descend(self.optimisers[0], torch.stack([weight * loss for weight, loss in weights.values()]).sum())
        self.discriminator.requires_grad_(True)
        return {name: float(loss.detach()) for name, (_, loss) in weights.items()}

    def _set_rates(self) -> None:
        """Constant for the first half of the steps, then linearly towards 0."""
        factor = min(1.0, 2.0 * (1.0 - self.step / self.config.steps))
        rates = (self.config.learning_rate, self.config.discriminator_rate)
        for optimiser, rate in zip(self.optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * max(factor, 0.01)


def _tensors(batch: Batch, part: slice) -> tuple[Tensor, Tensor, Tensor]:
    planes, target, scale = (torch.from_numpy(array[part]) for array in (batch.planes, batch.target, batch.scale))
    return planes.contiguous(memory_format=torch.channels_last), target, scale
