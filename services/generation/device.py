"""Which engine runs the generators: ONNX Runtime on the CPU, torch on a GPU."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from services.common.engines.engine import Engine
from services.common.errors import ConfigError
from services.generation.model import StoredModel
from services.generation.patches import PATCH_PX

_log = logging.getLogger(__name__)


def choose_engine(device: str, precision: str = "float32") -> Callable[[StoredModel], Engine]:
    """The function that loads models on `device`: auto, cpu or cuda. precision: of a GPU; the CPU's is float32.

    Raises ConfigError for `cuda` without a GPU: running elsewhere than asked would hide that it is missing. Only `auto`
    may fall back on the CPU, and logs it; it looks for a GPU at the first model, since torch takes seconds to import.
    """
    if device == "cuda":
        return _on_gpu(precision)
    return _on_cpu if device == "cpu" else lambda model: _automatic(precision)(model)


@functools.cache
def _automatic(precision: str) -> Callable[[StoredModel], Engine]:
    if find_spec("torch") is not None:
        from services.common.engines.torch_cuda import has_gpu

        if has_gpu():
            return _on_gpu(precision)
    _log.info("no GPU that torch can use: generating on the CPU with ONNX Runtime, in float32")
    return _on_cpu


def _on_cpu(model: StoredModel) -> Engine:
    from services.common.engines.onnx_cpu import OnnxCpuEngine

    return OnnxCpuEngine(model.weights())


def _on_gpu(precision: str) -> Callable[[StoredModel], Engine]:
    if find_spec("torch") is None:
        raise ConfigError("BIOSYNTH_DEVICE: cuda needs torch, which is not installed; use the image generation-cuda")
    from services.common.engines.torch_cuda import TorchEngine, check_gpu
    from services.generation.network import read_generator

    def opened(model: StoredModel) -> Engine:
        network = read_generator(model.torch_weights())
        planes = np.zeros((1, network.config.planes, PATCH_PX, PATCH_PX), np.float32)
        engine = TorchEngine(network, precision)
        engine.run(planes)  # libraries are loaded at the first run: not while a caller waits
        return engine

    check_gpu(precision)
    return opened
