"""Two-scale patch discriminator (Isola et al. 2017; two scales after Wang et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches of (conditions, image) as real or generated; also gives its features for matching."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(channels, width, 4, stride=2, padding=1),
                _normed(width, 2 * width, 2),
                _normed(2 * width, 4 * width, 2),
                nn.Conv2d(4 * width, 1, 3, padding=1),
            ]
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, channels, H, W) to the features of each layer; the last is the verdict (B, 1, H/8, W/8)."""
        features = []
        for layer in self.layers[:-1]:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return [*features, self.layers[-1](x)]


class Discriminator(nn.Module):
    """The same judge at full and at half resolution."""

    def __init__(self, conditions: int, width: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList([PatchDiscriminator(conditions + 1, width) for _ in range(2)])

    def forward(self, conditions: Tensor, image: Tensor) -> list[list[Tensor]]:
        """conditions: (B, C, H, W), image: (B, 1, H, W). Returns a list of features for each scale."""
        x = torch.cat([conditions, image], 1)
        return [self.scales[0](x), self.scales[1](F.avg_pool2d(x, 2))]


def _normed(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    # BatchNorm: with spectral norm and a hinge loss the verdict stayed at chance on this data.
    return nn.Sequential(nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs))
