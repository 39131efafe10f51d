"""The moving average of a network's weights (EMA), which is what gets published."""

from __future__ import annotations

import torch
from torch import nn


def update_average(average: nn.Module, network: nn.Module, step: int, decay: float) -> None:
    """Move the averaged weights towards the network's, after step number `step`, counted from 0.

    Weights are parameters and the statistics of batch norms; counters, which have no average, are copied.
    """
    # A short memory at first, so that the average does not drag the initial weights along.
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1.0 - decay)
            else:
                mean.copy_(value)
