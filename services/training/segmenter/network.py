"""The segmentation network: a small U-Net of residual blocks, fully convolutional, with a finite receptive field."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from services.segmentation.learned.outputs import PLANES
from services.training.bounds import between, check_bounds, each


@dataclass(frozen=True)
class NetworkConfig:
    """widths: channels at full resolution, at half of it, and so on.

    A U-Net after Ronneberger et al. (MICCAI, 2015) whose paths are added as in LinkNet of Chaurasia and Culurciello
    (VCIP, 2017). Raises ConfigError for a width below 1.
    """

    widths: tuple[int, ...] = (16, 32, 64, 192)

    def __post_init__(self) -> None:
        check_bounds(self, {"widths": each(between(1))})

    @property
    def stride_px(self) -> int:
        """What the sides of an image must be divisible by."""
        return 1 << len(self.widths) - 1

    @property
    def halo_px(self) -> int:
        """Reach of the receptive field to each side, rounded up to the stride.

        At each resolution four 3x3 convolutions, two at the coarsest; pooling reaches one pixel less than its step,
        bilinear enlargement one coarse pixel.
        """
        steps = [1 << level for level in range(len(self.widths))]
        convolutions = 4 * sum(steps[:-1]) + 2 * steps[-1]
        resampling = sum(step - 1 + step for step in steps[1:])
        return -(-(convolutions + resampling) // self.stride_px) * self.stride_px


class Block(nn.Module):
    """Two convolutions with batch norm, and the input added; after He et al. (CVPR, 2016)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)
        self.second, self.second_norm = nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)
        self.skip = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H, W)."""
        inner = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(inner)) + self.skip(x))


class SegmenterNetwork(nn.Module):
    """One normalised image plane to the planes of learned/outputs.py."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        widths = config.widths
        self.config = config
        self.down = nn.ModuleList(Block(before, after) for before, after in pairwise((1, *widths)))
        rising = list(reversed(widths))
        # What rises is narrowed first and added, not concatenated: three fifths of a plain U-Net's multiplications.
        self.narrow = nn.ModuleList(nn.Conv2d(deep, wide, 1) for deep, wide in pairwise(rising))
        self.up = nn.ModuleList(Block(wide, wide) for wide in rising[1:])
        self.head = nn.Conv2d(widths[0], PLANES, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1, H, W), sides divisible by the stride, to output (B, 4, H, W) and deepest features (B, w, H/s, W/s)."""
        x, skips = image, []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        deepest = skips.pop()
        for narrow, block in zip(self.narrow, self.up, strict=True):
            risen = F.interpolate(narrow(x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(risen + skips.pop())
        return self.head(x), deepest
