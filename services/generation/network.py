"""The default generator: fully convolutional, finite receptive field, no normalisation, texture from given noise."""

from __future__ import annotations

from dataclasses import dataclass

from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from services.common.errors import ConfigError
from services.generation.conditions import TEXTURE_SCALES_PX

STRIDE = 4


@dataclass(frozen=True)
class NetworkConfig:
    """Hyper-parameters, saved beside the weights."""

    planes: int
    width: int = 80
    blocks: int = 4

    @property
    def stride_px(self) -> int:
        """Sides of its input are multiples of this."""
        return STRIDE

    @property
    def halo_px(self) -> int:
        """Reach of the receptive field to each side, rounded up to the total stride."""
        # In px: stem 2 (3x3 at stride 2) and squeeze 2; two convolutions of 4 for each block; two of 2 at half size,
        # two of 1 at full size, the last 1; unshuffling and bilinear enlargement by 2, twice, 6.
        reach = 2 + 2 + 8 * self.blocks + 4 + 2 + 1 + 6
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


class Stem(nn.Conv2d):
    """A convolution of 3x3 blocks, each of 2x2 pixels: the planes at half size, four times as many."""

    def __init__(self, planes: int, width: int) -> None:
        super().__init__(4 * planes, width, 3, padding=1)

    def forward(self, planes: Tensor) -> Tensor:
        """(B, planes, H, W) to (B, width, H/2, W/2)."""
        return super().forward(F.pixel_unshuffle(planes, 2))

    def of_pixels(self) -> nn.Conv2d:
        """The same as a convolution of 6x6 pixels by steps of 2; on CPUs it saves a tenth of the network's time."""
        width, planes = self.weight.shape[0], self.weight.shape[1] // 4
        same = nn.Conv2d(planes, width, 6, stride=2, padding=2)
        # Channels are (plane, row in a block, column in it); rows of pixels are (block, row in it), columns alike.
        blocks = self.weight.detach().reshape(width, planes, 2, 2, 3, 3).permute(0, 1, 4, 2, 5, 3)
        same.weight.data = blocks.reshape(width, planes, 6, 6).contiguous()
        same.bias = self.bias
        return same


class Generator(nn.Module):
    """Planes of `conditions.build_planes` to one normalised image plane.

    Fine texture is the given noise times gains that the network makes of what it sees. Gains are smooth where features
    of a coarse grid are enlarged; texture made of such features would be woven in the grid's rhythm instead.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        half, full = config.width // 2, config.width // 5
        self.config = config
        self.stem: nn.Module = Stem(config.planes, half)
        self.squeeze = nn.Conv2d(half, config.width, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(*[ResidualBlock(config.width) for _ in range(config.blocks)])
        self.narrow = nn.Conv2d(config.width, half, 1)
        self.at_half = ResidualBlock(half)
        self.narrow_again = nn.Conv2d(half, full, 1)
        self.fine = nn.Conv2d(config.planes, full, 3, padding=1)
        self.at_full = ResidualBlock(full)
        self.last = nn.Conv2d(full, 1 + len(TEXTURE_SCALES_PX), 3, padding=1)

    def forward(self, planes: Tensor) -> Tensor:
        """(B, planes, H, W) float to (B, 1, H, W); H and W divisible by 4."""
        stem = self.stem(planes)  # (B, w/2, H/2, W/2)
        deep = self.blocks(self.squeeze(F.relu(stem)))  # (B, w, H/4, W/4)
        # A 1x1 convolution commutes with bilinear enlargement: narrow first, it is four times cheaper there.
        risen = self.at_half(_enlarged(self.narrow(F.relu(deep))) + stem)  # (B, w/2, H/2, W/2)
        risen = self.at_full(_enlarged(self.narrow_again(F.relu(risen))) + self.fine(planes))  # (B, w/5, H, W)
        image, gains = self.last(F.relu(risen)).split([1, len(TEXTURE_SCALES_PX)], 1)
        texture = planes[:, -len(TEXTURE_SCALES_PX) :]
        result: Tensor = image + (gains * texture).sum(1, keepdim=True)  # (B, 1, H, W)
        return result


def _enlarged(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def read_generator(weights: bytes) -> Generator:
    """The network of a safetensors file, whose shapes tell its hyper-parameters.

    Raises ConfigError for the weights of another network, such as a baseline's.
    """
    state = load(weights)
    if "squeeze.weight" not in state:
        raise ConfigError(
            "expected weights of the default network; got another's: baselines are run by ONNX Runtime, so set "
            "BIOSYNTH_DEVICE=cpu, or take this model away"
        )
    blocks = {name.split(".")[1] for name in state if name.startswith("blocks.")}
    width, planes = state["squeeze.weight"].shape[0], state["stem.weight"].shape[1] // 4
    network = Generator(NetworkConfig(planes, width, len(blocks)))
    network.load_state_dict(state)
    return network
