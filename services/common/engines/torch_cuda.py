"""The GPU engine: torch on a CUDA device. The one serving module that touches CUDA."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from services.common.errors import ConfigError


def has_gpu() -> bool:
    """Whether torch finds a CUDA device."""
    return bool(torch.cuda.is_available())


def check_gpu() -> None:
    """Raise ConfigError, in plain words, unless there is a GPU that torch can compute on."""
    if not has_gpu():
        built = torch.version.cuda or "none: this torch is built for the CPU"
        raise ConfigError(
            f"BIOSYNTH_DEVICE: expected a CUDA device, found none (torch {torch.__version__}, CUDA {built}); is a GPU "
            "given to this container, and its driver new enough? Set BIOSYNTH_DEVICE=cpu to run without one"
        )


class TorchEngine:
    """Runs a torch module in float32. device: `cuda`; `cpu` in tests, where it must answer as ONNX Runtime does."""

    precision = "float32"

    def __init__(self, network: nn.Module, device: str = "cuda") -> None:
        self.name = f"torch-{torch.__version__}-{device}"  # in a result's identity: versions differ in bits
        self._device = torch.device(device)
        # By default cuDNN rounds to TF32, a mantissa of 10 bits, and `precision` would be wrong.
        torch.backends.cudnn.allow_tf32 = False
        self._network = network.float().eval().requires_grad_(False).to(self._device)

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, C, H, W) to (B, 1, H, W)."""
        with torch.inference_mode():
            image: NDArray[np.float32] = self._network(torch.from_numpy(planes).to(self._device)).cpu().numpy()
        return image

    def rest(self) -> None:
        """Nothing: torch keeps the device's memory for the next run."""
