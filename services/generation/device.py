"""Which engine runs the generators: ONNX Runtime on the CPU, torch on a GPU."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec

from services.common.engines.engine import Engine
from services.common.errors import ConfigError
from services.generation.model import StoredModel

_log = logging.getLogger(__name__)


def engine_opener(device: str) -> Callable[[StoredModel], Engine]:
    """What loads a model on `device`: auto, cpu or cuda.

    Raises ConfigError for `cuda` where there is none: running elsewhere than asked would hide a missing GPU. Only
    `auto` picks the CPU, and says so.
    """
    if device == "cuda" or (device == "auto" and _has_gpu()):
        return _on_gpu()
    if device == "auto":
        _log.info("no GPU that torch can use: generating on the CPU with ONNX Runtime")
    return _on_cpu


def _has_gpu() -> bool:
    if find_spec("torch") is None:
        return False
    import torch  # slow to import, and absent from the CPU image

    return bool(torch.cuda.is_available())


def _on_cpu(model: StoredModel) -> Engine:
    from services.common.engines.onnx_cpu import OnnxCpuEngine  # absent from the GPU image

    return OnnxCpuEngine(model.weights())


def _on_gpu() -> Callable[[StoredModel], Engine]:
    if find_spec("torch") is None:
        raise ConfigError("BIOSYNTH_DEVICE: cuda needs torch, which is not installed; use the image generation-cuda")
    from services.common.engines.torch_cuda import TorchEngine, check_device
    from services.generation.network import read_generator

    check_device("cuda")
    return lambda model: TorchEngine(read_generator(model.torch_weights()))
