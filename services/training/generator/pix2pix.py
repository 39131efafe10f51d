"""The networks of pix2pix for patches of 256 px, a baseline, from its paper (Isola et al. 2017, arXiv 1611.07004).

Its batch normalisation takes the statistics of the batch, in generation too, and batches are of one image: that is
instance normalisation, which is what stands here. Two things differ. The last layer is linear, without a tanh, since
our normalised brightness has no bounds. And generation drops nothing out, so that a seed gives one image.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

_DROPPED_STEPS = 3


@dataclass(frozen=True)
class UNetConfig:
    """Hyper-parameters. width: features of the first step; depth: steps down, and up."""

    planes: int
    width: int = 64
    depth: int = 8

    @property
    def stride_px(self) -> int:
        """Sides of its input are multiples of this."""
        return int(2**self.depth)

    @property
    def halo_px(self) -> None:
        """None is wide enough: normalisation makes every pixel depend on the whole input."""
        return


class UNet(nn.Module):
    """Halves `depth` times, then doubles as often, each step joined with what has its size on the way down."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.width * min(2**step, 8) for step in range(config.depth)]  # 64, 128, 256, 512, 512 ...
        inputs = [config.planes, *widths]
        # The first step is not normalised, nor the innermost, whose single pixel would become 0 (the paper's errata).
        self.down = nn.ModuleList(
            [_down(inputs[step], width, normed=0 < step < config.depth - 1) for step, width in enumerate(widths)]
        )
        ups = [_up(widths[-1], widths[-2], dropped=True)]
        for step in range(config.depth - 2, 0, -1):
            ups.append(_up(2 * widths[step], widths[step - 1], dropped=len(ups) < _DROPPED_STEPS))
        self.up = nn.ModuleList([*ups, nn.ConvTranspose2d(2 * widths[0], 1, 4, stride=2, padding=1)])
        self.apply(_initialise)

    def forward(self, planes: Tensor) -> Tensor:
        """(B, planes, H, W) to (B, 1, H, W); 2^depth divides H and W."""
        x = self.down[0](planes)
        skips = []
        for layer in self.down[1:]:
            skips.append(x)
            x = layer(F.leaky_relu(x, 0.2))  # at last (B, 8 w, H / 2^depth, W / 2^depth)
        for layer in self.up[:-1]:
            x = torch.cat([layer(F.relu(x)), skips.pop()], 1)
        result: Tensor = self.up[-1](F.relu(x))
        return result


class PatchGan(nn.Module):
    """Judges patches of 70 px of (conditions, image) as real or generated."""

    def __init__(self, conditions: int, width: int = 64) -> None:
        super().__init__()
        inputs, widths = [conditions + 1, width, 2 * width, 4 * width], [width, 2 * width, 4 * width, 8 * width]
        convolutions = [
            _down(before, after, normed=step > 0, stride=2 if step < 3 else 1)
            for step, (before, after) in enumerate(zip(inputs, widths, strict=True))
        ]
        self.layers = nn.ModuleList([*convolutions, nn.Conv2d(8 * width, 1, 4, padding=1)])
        self.apply(_initialise)

    def forward(self, conditions: Tensor, image: Tensor) -> list[list[Tensor]]:
        """(B, C, H, W) and (B, 1, H, W) to one scale's features, the verdict (B, 1, H/8 - 2, W/8 - 2) last."""
        x, features = torch.cat([conditions, image], 1), []
        for layer in self.layers[:-1]:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return [[*features, self.layers[-1](x)]]


def _down(inputs: int, outputs: int, normed: bool, stride: int = 2) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1, bias=not normed)
    return nn.Sequential(convolution, *([nn.InstanceNorm2d(outputs, affine=True)] if normed else []))


def _up(inputs: int, outputs: int, dropped: bool) -> nn.Sequential:
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.InstanceNorm2d(outputs, affine=True), *([nn.Dropout(0.5)] if dropped else []))


def _initialise(module: nn.Module) -> None:
    """Normal weights of deviation 0.02, as published; scales of norms about 1."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.InstanceNorm2d):
        nn.init.normal_(module.weight, 1.0 if isinstance(module, nn.InstanceNorm2d) else 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
