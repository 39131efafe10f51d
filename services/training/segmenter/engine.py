"""A segmentation network in training as the engine that segmenters run on."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from services.segmentation.learned.model import SegmenterDescription
from services.training.segmenter.network import NetworkConfig


class NetworkEngine:
    """Runs a torch network of two outputs on the CPU and gives the first; nothing is exported."""

    name = "torch-cpu"
    precision = "float32"

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval()

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(1, 1, H, W) to (1, 4, H, W)."""
        with torch.inference_mode():
            output: NDArray[np.float32] = self._network(torch.from_numpy(planes))[0].numpy()
        return output

    def rest(self) -> None:
        """Nothing is kept."""


def undescribed(config: NetworkConfig, part: str) -> SegmenterDescription:
    """What tiling needs to know of a network that is in no file; its images are not magnified."""
    return SegmenterDescription(
        "in training", 0, "", part, config.halo_px, config.stride_px, config.widths[-1], 0, "", 0.0, 0.0, {}
    )
