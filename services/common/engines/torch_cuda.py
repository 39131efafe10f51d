"""The GPU engine: torch on a CUDA device. With cuda_graphs.py, all of serving that touches CUDA."""

from __future__ import annotations

import threading

import numpy as np
import torch
from biosynth.contract import MIB
from numpy.typing import NDArray
from torch import Tensor, nn

from services.common.engines.cuda_graphs import Replayed, capture
from services.common.engines.halving import run_halved
from services.common.errors import ConfigError, DeviceFull

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def has_gpu() -> bool:
    """Whether torch finds a CUDA device."""
    return bool(torch.cuda.is_available())


def check_gpu(precision: str) -> None:
    """Raise ConfigError, in plain words, unless there is a GPU that torch can compute on in this precision."""
    if not has_gpu():
        built = torch.version.cuda or "none: this torch is built for the CPU"
        raise ConfigError(
            f"BIOSYNTH_DEVICE: expected a CUDA device, found none (torch {torch.__version__}, CUDA {built}); is a GPU "
            "given to this container, and its driver new enough? Set BIOSYNTH_DEVICE=cpu to run without one"
        )
    if precision == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise ConfigError(
            f"BIOSYNTH_PRECISION: expected a GPU that computes in bfloat16 (compute capability 8 or higher), found "
            f"{torch.cuda.get_device_name()}; set BIOSYNTH_PRECISION=float32"
        )


class TorchEngine:
    """Runs a torch module in float32 or bfloat16.

    device: `cuda`; `cpu` in tests, where it must answer as ONNX Runtime does.
    """

    # 32 patches of 256 px; and then the planes on the host stay within what is reckoned (docs/deploy.md, On a GPU).
    batch_px = 2048 * 1024
    # One computation at a time, whichever model's: they would only share the device, and its memory.
    _turn = threading.Lock()

    def __init__(self, network: nn.Module, precision: str = "float32", device: str = "cuda") -> None:
        self.name = f"torch-{torch.__version__}-{device}"  # in a result's identity: versions differ in bits
        self.precision = precision
        self._device, self._dtype, self._on_gpu = torch.device(device), _DTYPES[precision], device != "cpu"
        # By default cuDNN rounds to TF32, a mantissa of 10 bits, and `precision` would be wrong.
        torch.backends.cudnn.allow_tf32 = False
        network = network.eval().requires_grad_(False)
        # Channels last: the layout that tensor cores read.
        network = network.to(self._device, self._dtype, memory_format=torch.channels_last)
        self._network = Replayed(network, capture if self._on_gpu else None)

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, C, H, W) to (B, 1, H, W). Raises DeviceFull."""
        with self._turn, torch.inference_mode():
            return run_halved(self._run, planes, self._free)

    def rest(self) -> None:
        """Nothing: torch keeps the device's memory for the next run."""

    def _run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            made = self._network(self._sent(planes)).float().contiguous()
        except torch.OutOfMemoryError as error:
            raise DeviceFull(
                f"expected memory on the device for an input of {planes.shape[2]}x{planes.shape[3]} px, "
                f"{self._memory()}; ask for tiling exact where it was whole; else free the GPU of other processes, or "
                "set BIOSYNTH_DEVICE=cpu"
            ) from error
        image: NDArray[np.float32] = torch.empty(made.shape, pin_memory=self._on_gpu).copy_(made).numpy()
        return image

    def _sent(self, planes: NDArray[np.float32]) -> Tensor:
        """The planes on the device, (B, C, H, W)."""
        batch = torch.empty(planes.shape, dtype=self._dtype, device=self._device)
        for there, here in zip(batch, torch.from_numpy(planes), strict=True):
            # The way into pinned memory rounds to the device's precision: fewer bytes travel. They do so while the
            # next input is rounded.
            staged = torch.empty(here.shape, dtype=self._dtype, pin_memory=self._on_gpu).copy_(here)
            there.copy_(staged, non_blocking=True)
        return batch.contiguous(memory_format=torch.channels_last)

    def _free(self) -> None:
        self._network.forget()
        torch.cuda.empty_cache()  # does nothing where CUDA was not used

    def _memory(self) -> str:
        if not self._on_gpu:
            return "got none"
        free, there = torch.cuda.mem_get_info()
        return f"got {free // MIB} MiB free of {there // MIB} MiB"
