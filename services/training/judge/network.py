"""The judge's network, and what it sees of a window."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

# Windows that vary less, in shares of full scale, are not blown up: one grey level, and for grain a quarter of one.
LEAST_DEVIATION, LEAST_GRAIN = 1 / 255, 0.25 / 255
PLANES = 3


class JudgeNetwork(nn.Module):
    """Four convolutions, and one logit of the mean and the largest of each feature: where it is does not matter.

    At width 12 it has 23,000 weights. They are drawn with `generator`.
    """

    def __init__(self, generator: torch.Generator, width: int = 12) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _block(PLANES, width, stride=2),
            _block(width, 2 * width, stride=1),
            _block(2 * width, 2 * width, stride=2),
            _block(2 * width, 4 * width, stride=1),
        )
        self.head = nn.Linear(2 * 4 * width, 1)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(self.head.bias)

    def forward(self, planes: Tensor) -> Tensor:
        """(B, 3, S, S) to (B,), higher for what looks generated."""
        found = self.features(planes)  # (B, 4 width, S/4, S/4)
        pooled = torch.cat([found.mean((2, 3)), found.amax((2, 3))], 1)
        logits: Tensor = self.head(pooled)[:, 0]
        return logits


def planes_of(windows: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Exposure, texture and grain of windows (B, 1, S, S) on 0..1, each on a scale of its own: (B, 3, S, S).

    Exposure: the greys, standardised by the mean and the deviation of all training windows. Texture: the greys,
    standardised by the window's own. Grain: their difference from the 3 x 3 mean, in its own deviations; without this
    plane the network does not come to look at what is finest (area 0.61 instead of 0.80 on nuclei).
    """
    own = (windows - windows.mean((2, 3), keepdim=True)) / _deviation(windows, LEAST_DEVIATION)
    grain = windows - F.avg_pool2d(F.pad(windows, (1, 1, 1, 1), mode="reflect"), 3, 1)
    return torch.cat([(windows - mean) / deviation, own, grain / _deviation(grain, LEAST_GRAIN)], 1)


def _deviation(windows: Tensor, least: float) -> Tensor:
    deviation: Tensor = windows.std((2, 3), keepdim=True).clamp(min=least)
    return deviation


def _block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    # A kernel of 4 at stride 2 weighs all pixels alike; one of 3 would see every other one twice.
    kernel = 4 if stride == 2 else 3
    # BatchNorm, since a normalisation by window would take the exposure away.
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
