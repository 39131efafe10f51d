"""The default's network, told how wide objects are: openings at several widths (granulometry, Matheron 1975)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from services.generation.conditions import EXTRA_PLANES
from services.generation.network import Generator, NetworkConfig
from services.training.generator import trainer
from services.training.generator.trainer import Trainer

WIDTHS_PX = (9, 17, 33)


@dataclass(frozen=True)
class SizedConfig:
    """As the network's, whose reach openings widen."""

    planes: int
    stride_px: int
    halo_px: int


class Sized(nn.Module):
    """Sees a plane more for each width: 1 where a square of that width fits into the objects' interior."""

    def __init__(self, planes: int, width: int, blocks: int) -> None:
        super().__init__()
        self.network = Generator(NetworkConfig(planes + len(WIDTHS_PX), width, blocks))
        inner = self.network.config
        reach = -(-max(WIDTHS_PX) // inner.stride_px) * inner.stride_px  # each half of an opening reaches half a width
        self.config = SizedConfig(planes, inner.stride_px, inner.halo_px + reach)

    def forward(self, planes: Tensor) -> Tensor:
        """(B, planes, H, W) to (B, 1, H, W)."""
        boundary = planes.shape[1] - EXTRA_PLANES - 1  # the last level of the schemas that are trained on
        interior = planes[:, boundary - 1 : boundary]
        # In front, as the network looks for texture in the last planes.
        seen: Tensor = self.network(torch.cat([*(_opened(interior, width) for width in WIDTHS_PX), planes], 1))
        return seen


class SizedTrainer(Trainer):
    """The default's losses and discriminator; the generator alone sees widths."""

    def __init__(self, *arguments: Any) -> None:
        with mock.patch.object(trainer, "build_generator", _build):
            super().__init__(*arguments)


def _opened(interior: Tensor, width: int) -> Tensor:
    """What is left of (B, 1, H, W), 0 or 1, where squares of this width fit in."""
    return _widest(-_widest(-interior, width), width)


def _widest(plane: Tensor, width: int) -> Tensor:
    """The largest value in squares, along one axis after the other."""
    rows = F.max_pool2d(plane, (width, 1), stride=1, padding=(width // 2, 0))
    return F.max_pool2d(rows, (1, width), stride=1, padding=(0, width // 2))


def _build(_architecture: str, planes: int, width: int, blocks: int) -> Sized:
    sized = Sized(planes, width, blocks)
    sized.to(memory_format=torch.channels_last)
    return sized
