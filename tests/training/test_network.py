"""The default network's size and reach."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: the `training` extra")

from services.generation.conditions import plane_count
from services.generation.network import STRIDE, Generator, NetworkConfig, Stem


def _network(config: NetworkConfig) -> Generator:
    torch.manual_seed(0)
    network: Generator = Generator(config).double()
    with torch.no_grad():
        for parameter in network.parameters():  # the residual branches start at zero, and would have no reach
            parameter.copy_(torch.rand_like(parameter) * 0.1)
    return network


def _reach(config: NetworkConfig, row: int, column: int, side: int = 160) -> int:
    """How far the input pixels that change one output pixel lie from it. Positive weights: no ReLU hides any."""
    planes = torch.rand(1, config.planes, side, side, dtype=torch.float64, requires_grad=True)
    _network(config)(planes)[0, 0, row, column].backward()
    rows, columns = torch.nonzero(planes.grad[0].abs().sum(0), as_tuple=True)
    return int(max((rows - row).abs().max(), (columns - column).abs().max()))


def test_the_default_network_reaches_no_farther_than_its_halo() -> None:
    config = NetworkConfig(plane_count(3), width=10)
    reaches = [_reach(config, 80 + offset, 80 + offset) for offset in range(STRIDE)]
    assert max(reaches) <= config.halo_px
    # And not much wider: tiles would compute pixels that nobody needs.
    assert max(reaches) > config.halo_px - 2 * STRIDE


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_the_halo_follows_the_number_of_blocks(blocks: int) -> None:
    config = NetworkConfig(plane_count(4), width=10, blocks=blocks)
    assert max(_reach(config, 80 + offset, 80, side=128) for offset in range(STRIDE)) <= config.halo_px
    assert config.halo_px % STRIDE == 0


@pytest.mark.parametrize("levels", [3, 4, 10])
def test_the_default_preset_is_small(levels: int) -> None:
    config = NetworkConfig(plane_count(levels))
    assert sum(parameter.numel() for parameter in Generator(config).parameters()) <= 2_400_000
    assert config.halo_px <= 64


@pytest.mark.parametrize("size", [(4, 4), (12, 20)])
def test_the_stem_is_the_same_as_a_convolution_of_pixels(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    stem, planes = Stem(5, 7).double(), torch.randn(2, 5, *size, dtype=torch.float64)
    assert torch.allclose(stem.of_pixels()(planes), stem(planes), atol=1e-12)
