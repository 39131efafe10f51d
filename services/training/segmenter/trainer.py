"""What one step does to a segmentation network."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from services.common.errors import ConfigError
from services.training.average import update_average
from services.training.bounds import ABOVE_0, SEED, SHARE, between, check_bounds
from services.training.ranks import ALONE, Ranks
from services.training.segmenter.crops import Augmentation, Crops, LabelledField
from services.training.segmenter.losses import segmentation_losses
from services.training.segmenter.network import NetworkConfig, SegmenterNetwork
from services.training.training import Training

_WARM_UP_STEPS = 200
_LAST_RATE = 0.02  # of the learning rate
_LARGEST_GRADIENT = 5.0
_BOUNDS = {
    **dict.fromkeys(("steps", "batch", "crop_px"), between(1)),
    "learning_rate": ABOVE_0,
    "weight_decay": between(0),
    "ema_decay": SHARE,
    "seed": SEED,
}


@dataclass(frozen=True)
class TrainConfig:
    """Hyper-parameters of one training, saved beside the weights. Raises ConfigError for numbers that none can have."""

    steps: int = 6000
    batch: int = 8
    crop_px: int = 160
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    ema_decay: float = 0.999
    network: NetworkConfig = field(default_factory=NetworkConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    bfloat16: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_bounds(self, _BOUNDS)
        if self.crop_px % (stride := self.network.stride_px):
            raise ConfigError(f"expected crop_px as a multiple of {stride}, the network's stride; got {self.crop_px}")
        if self.batch * (self.crop_px // stride) ** 2 < 2:
            raise ConfigError(
                f"expected a larger crop_px or batch, whose deepest features have a variance; got crops of "
                f"{self.crop_px} px, one at a time"
            )


class Trainer(Training):
    """Trains a segmenter on labelled fields, kind by kind. dataset: their fingerprint."""

    def __init__(
        self,
        config: TrainConfig,
        sources: Sequence[Sequence[LabelledField]],
        dataset: str = "",
        ranks: Ranks = ALONE,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.crops = Crops(sources, config.crop_px, config.augmentation, np.random.default_rng(config.seed))
        self.network = SegmenterNetwork(config.network).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        modules = {"network": self.network, "average": self.average}
        super().__init__(config, modules, [self.optimiser], self.crops.generator, dataset, ranks)

    def train_step(self) -> dict[str, float]:
        """One step; returns the losses."""
        self.optimiser.param_groups[0]["lr"] = self.config.learning_rate * rate_at(self.step, self.config.steps)
        part = self.ranks.part(self.config.batch)
        images, targets = (torch.from_numpy(planes[part]) for planes in self.crops.batch(self.config.batch))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            output, _ = self.network(images.contiguous(memory_format=torch.channels_last))
        losses = segmentation_losses(output.float(), targets)
        self.descend(self.optimiser, torch.stack(list(losses.values())).sum(), _LARGEST_GRADIENT)
        update_average(self.average, self.network, self.step, self.config.ema_decay)
        self.step += 1
        return {name: loss.item() for name, loss in losses.items()}


def rate_at(step: int, steps: int) -> float:
    """Share of the learning rate: a linear rise over 200 steps, then half a cosine down to 0.02.

    >>> rate_at(0, 1000), rate_at(500, 1000), rate_at(1000, 1000)
    (0.005, 0.5, 0.02)
    """
    falling = max(_LAST_RATE, 0.5 * (1 + np.cos(np.pi * step / steps)))
    return float(min(1.0, (step + 1) / _WARM_UP_STEPS) * falling)
