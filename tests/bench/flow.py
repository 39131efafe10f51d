"""Few-step flow matching (Lipman et al. 2023, arXiv 2210.02747) with the default's network."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from services.generation.conditions import TEXTURE_SCALES_PX
from services.generation.network import Generator, NetworkConfig
from services.training.average import update_average
from services.training.generator import losses, trainer
from services.training.generator.trainer import Trainer

# The last estimate is a mean over what the camera's noise may be: so it has none, and generation adds it.
TIMES = (0.0, 0.4, 0.7, 0.9)


@dataclass(frozen=True)
class FlowConfig:
    """As the network's, whose reach counts once a step."""

    planes: int
    stride_px: int
    halo_px: int


class Flow(nn.Module):
    """Goes from the finest given noise to an image, each time in the direction that the network sees."""

    def __init__(self, planes: int, width: int, blocks: int) -> None:
        super().__init__()
        self.network = Generator(NetworkConfig(planes + 2, width, blocks))
        inner = self.network.config
        self.config = FlowConfig(planes, inner.stride_px, len(TIMES) * inner.halo_px)

    def estimate(self, planes: Tensor, x: Tensor, times: Tensor) -> Tensor:
        """The squashed image that x, (B, 1, H, W), is on the way to; times: (B, 1, 1, 1) from 0 to 1."""
        # Texture stays last, which is where the network looks for it.
        own, texture = planes.split([planes.shape[1] - len(TEXTURE_SCALES_PX), len(TEXTURE_SCALES_PX)], 1)
        seen: Tensor = self.network(torch.cat([own, x, times.expand_as(x), texture], 1))
        return seen

    def forward(self, planes: Tensor) -> Tensor:
        """(B, planes, H, W) to (B, 1, H, W)."""
        x = image = start(planes)
        for now, then in pairwise((*TIMES, 1.0)):
            image = self.estimate(planes, x, torch.full_like(x[:, :, :1, :1], now))
            x = x + (then - now) / (1.0 - now) * (image - x)
        return unsquashed(image)


class FlowTrainer(Trainer):
    """Learns the images alone: without any of the default's losses, whose weights must be 0 but for l1's."""

    def __init__(self, *arguments: Any) -> None:
        with mock.patch.object(trainer, "build_generator", _build):
            super().__init__(*arguments)

    def train_step(self) -> dict[str, float]:
        """One step; the loss is the mean square of what an estimate misses."""
        self._set_rates()
        planes, target, _ = trainer.tensors_of(self.crops.batch(self.config.batch), self.ranks.part(self.config.batch))
        target, times = losses.squash(target), torch.rand(len(planes), 1, 1, 1)
        x = (1.0 - times) * start(planes) + times * target
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            image = self.generator.estimate(planes, x, times)
        # An estimate's miss, in velocity, is divided by the time that is left; less near the end, as it has no bounds.
        loss = (F.mse_loss(image.float(), target, reduction="none") / (1.05 - times)).mean()
        self.descend(self.optimisers[0], loss)
        update_average(self.average, self.generator, self.step, self.config.ema_decay)
        self.step += 1
        return {"flow": float(loss.detach())}


def start(planes: Tensor) -> Tensor:
    """The finest of the texture planes."""
    return planes[:, -len(TEXTURE_SCALES_PX)][:, None]


def unsquashed(image: Tensor) -> Tensor:
    """What `losses.squash` bent."""
    size = image.abs()
    return torch.where(size < losses.KNEE, size, losses.KNEE * torch.exp(size / losses.KNEE - 1.0)) * image.sign()


def _build(_architecture: str, planes: int, width: int, blocks: int) -> Flow:
    flow = Flow(planes, width, blocks)
    flow.to(memory_format=torch.channels_last)
    return flow
