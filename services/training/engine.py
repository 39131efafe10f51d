"""A network in training as the engine that inference runs on."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


class NetworkEngine:
    """Runs a torch network on the CPU, and gives the first of its outputs; nothing is exported."""

    name = "torch-cpu"
    precision = "float32"
    batch_px = 0

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval()

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, C, H, W) to (B, D, H, W)."""
        with torch.inference_mode():
            output = self._network(torch.from_numpy(np.ascontiguousarray(planes)))
            first: NDArray[np.float32] = (output[0] if isinstance(output, tuple) else output).numpy()
        return first

    def rest(self) -> None:
        """Nothing is kept."""
