"""The default generator: fully convolutional, finite receptive field, no normalisation, resize-convolutions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

STRIDE = 4


@dataclass(frozen=True)
class NetworkConfig:
    """Hyper-parameters, saved beside the weights."""

    planes: int
    width: int = 80
    blocks: int = 4

    @property
    def halo_px(self) -> int:
        """Reach of the receptive field to each side, rounded up to the total stride."""
        # stem 2 (3x3 at stride 2), squeeze 2, blocks 2 convolutions of 4 px each, rise 2, finish 1, last 1;
        # resampling by 2 (unshuffle, nearest) can add up to 1 + 2 px of misalignment.
        reach = 2 + 2 + 8 * self.blocks + 2 + 1 + 1 + 3
        return -(-reach // STRIDE) * STRIDE


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))); the second convolution starts at zero, so that a deep stack starts as identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return x + self.second(F.relu(self.first(F.relu(x))))


class Generator(nn.Module):
    """Planes of `conditions.build_planes` to one normalised image plane."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        half, full = config.width // 2, config.width // 5
        self.config = config
        self.stem = nn.Conv2d(4 * config.planes, half, 3, padding=1)
        self.squeeze = nn.Conv2d(half, config.width, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(*[ResidualBlock(config.width) for _ in range(config.blocks)])
        self.narrow = nn.Conv2d(config.width, half, 1)
        self.rise = nn.Conv2d(2 * half, half, 3, padding=1)
        self.narrow_again = nn.Conv2d(half, full, 1)
        self.finish = nn.Conv2d(full + config.planes, full, 3, padding=1)
        self.last = nn.Conv2d(full, 1, 3, padding=1)

    def forward(self, planes: Tensor) -> Tensor:
        """(B, planes, H, W) float to (B, 1, H, W); H and W divisible by 4."""
        stem = F.relu(self.stem(F.pixel_unshuffle(planes, 2)))  # (B, w/2, H/2, W/2)
        deep = self.blocks(F.relu(self.squeeze(stem)))  # (B, w, H/4, W/4)
        # A 1x1 convolution commutes with nearest resizing: narrow first, it is four times cheaper there.
        risen = F.interpolate(self.narrow(deep), scale_factor=2.0, mode="nearest")
        risen = F.relu(self.rise(torch.cat([risen, stem], 1)))  # (B, w/2, H/2, W/2)
        risen = F.interpolate(self.narrow_again(risen), scale_factor=2.0, mode="nearest")
        risen = F.relu(self.finish(torch.cat([risen, planes], 1)))  # (B, w/5, H, W)
        image: Tensor = self.last(risen)  # (B, 1, H, W)
        return image


def read_generator(weights: bytes) -> Generator:
    """The network of a safetensors file, whose shapes tell its hyper-parameters."""
    state = load(weights)
    blocks = {name.split(".")[1] for name in state if name.startswith("blocks.")}
    width, planes = state["squeeze.weight"].shape[0], state["stem.weight"].shape[1] // 4
    network = Generator(NetworkConfig(planes, width, len(blocks)))
    network.load_state_dict(state)
    return network
