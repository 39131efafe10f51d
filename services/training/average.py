"""The moving average of a network's weights (EMA), which is what gets published."""

from __future__ import annotations

import torch
from torch import nn


def update_average(average: nn.Module, network: nn.Module, step: int, decay: float) -> None:
    """Move the averaged parameters towards the network's, after step number `step`, counted from 0."""
    # A short memory at first, so that the average does not drag the initial weights along.
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for mean, value in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(value, 1.0 - decay)
