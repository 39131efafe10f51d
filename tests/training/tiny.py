"""A training so small that a step takes no time, and has all that a real one has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from services.training.ranks import ALONE, Ranks
from services.training.training import Training


@dataclass(frozen=True)
class TinyConfig:
    """Hyper-parameters."""

    steps: int = 6
    batch: int = 4
    learning_rate: float = 0.05


class TinyTraining(Training):
    """Learns to double numbers that are drawn, under noise; the loss is a mean over the batch."""

    def __init__(self, config: TinyConfig, ranks: Ranks = ALONE) -> None:
        torch.manual_seed(0)
        self.config = config
        self.network = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 3))
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate)
        self.draw = np.random.default_rng(1)
        super().__init__(config, {"network": self.network}, [self.optimiser], self.draw, "tiny", ranks)

    def train_step(self) -> dict[str, float]:
        """One step."""
        whole = self.draw.random((self.config.batch, 3), np.float32)
        batch = torch.from_numpy(whole[self.ranks.part(len(whole))])
        loss = F.mse_loss(self.network(batch + 0.1 * self.ranks.noise_like(batch)), 2 * batch)
        self.descend(self.optimiser, loss)
        self.step += 1
        return {"error": loss.item()}

    def weights(self) -> dict[str, list[float]]:
        """All weights, for comparison."""
        return {name: value.flatten().tolist() for name, value in self.network.state_dict().items()}
