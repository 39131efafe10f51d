"""Which engine runs the generators: ONNX Runtime on the CPU, torch on a GPU."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from importlib.util import find_spec

from services.common.engines.engine import Engine
from services.common.errors import ConfigError
from services.generation.model import StoredModel

_log = logging.getLogger(__name__)


def choose_engine(device: str) -> Callable[[StoredModel], Engine]:
    """The function that loads models on `device`: auto, cpu or cuda.

    Raises ConfigError for `cuda` without a GPU: running elsewhere than asked would hide that it is missing. Only `auto`
    may fall back on the CPU, and logs it; it looks for a GPU at the first model, since torch takes seconds to import.
    """
    if device == "cuda":
        return _on_gpu()
    return _on_cpu if device == "cpu" else lambda model: _automatic()(model)


@functools.cache
def _automatic() -> Callable[[StoredModel], Engine]:
    if find_spec("torch") is not None:
        from services.common.engines.torch_cuda import has_gpu

        if has_gpu():
            return _on_gpu()
    _log.info("no GPU that torch can use: generating on the CPU with ONNX Runtime")
    return _on_cpu


def _on_cpu(model: StoredModel) -> Engine:
    from services.common.engines.onnx_cpu import OnnxCpuEngine

    return OnnxCpuEngine(model.weights())


def _on_gpu() -> Callable[[StoredModel], Engine]:
    if find_spec("torch") is None:
        raise ConfigError("BIOSYNTH_DEVICE: cuda needs torch, which is not installed; use the image generation-cuda")
    from services.common.engines.torch_cuda import TorchEngine, check_gpu
    from services.generation.network import read_generator

    check_gpu()
    return lambda model: TorchEngine(read_generator(model.torch_weights()))
