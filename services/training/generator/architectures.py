"""Which networks a training has, by the architecture's name."""

from __future__ import annotations

from typing import TypeAlias

import torch

from services.common.errors import ConfigError
from services.generation.network import Generator, NetworkConfig
from services.training.generator.discriminator import Discriminator
from services.training.generator.pix2pix import PatchGan, UNet, UNetConfig

OWN, PIX2PIX = "default", "pix2pix"
Network: TypeAlias = Generator | UNet
Judge: TypeAlias = Discriminator | PatchGan


def build_generator(architecture: str, planes: int, width: int, blocks: int) -> Network:
    """The architecture's generator. Raises ConfigError for a name that there is not."""
    if architecture not in (OWN, PIX2PIX):
        raise ConfigError(f"expected {OWN} or {PIX2PIX} as the architecture; got {architecture!r:.40}")
    network: Network
    if architecture == PIX2PIX:
        network = UNet(UNetConfig(planes, width, blocks))
    else:
        network = Generator(NetworkConfig(planes, width, blocks))
    network.to(memory_format=torch.channels_last)
    return network


def build_discriminator(architecture: str, conditions: int, width: int) -> Judge:
    """The discriminator that goes with it."""
    judge: Judge = PatchGan(conditions, width) if architecture == PIX2PIX else Discriminator(conditions, width)
    judge.to(memory_format=torch.channels_last)
    return judge
