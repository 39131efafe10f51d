"""Which engine runs the generators: ONNX Runtime or OpenVINO on the CPU, torch on a GPU."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeAlias

import numpy as np

from services.common.engines.engine import Engine
from services.common.engines.openvino_cpu import OpenVinoEngine, check_openvino
from services.common.errors import ConfigError
from services.generation.model import StoredModel
from services.generation.patches import PATCH_PX

_log = logging.getLogger(__name__)
Opening: TypeAlias = Callable[[StoredModel], Engine]


def choose_engine(device: str, precision: str = "float32", cpu_engine: str = "onnxruntime") -> Opening:
    """The function that loads models on `device`: auto, cpu or cuda; on the CPU by onnxruntime or openvino.

    Raises ConfigError for `cuda` without a GPU, and for openvino where it is not installed: running elsewhere than
    asked would hide that it is missing. Only `auto` may fall back on the CPU, and logs it; it looks for a GPU at the
    first model, since torch takes seconds to import.
    """
    if device == "cuda":
        return _on_gpu(precision)
    on_cpu = _by_onnxruntime
    if cpu_engine == "openvino":
        check_openvino()
        on_cpu = _by_openvino
    return on_cpu if device == "cpu" else lambda model: _automatic(precision, on_cpu)(model)


@functools.cache
def _automatic(precision: str, on_cpu: Opening) -> Opening:
    if find_spec("torch") is not None:
        from services.common.engines.torch_cuda import has_gpu

        if has_gpu():
            return _on_gpu(precision)
    _log.info("no GPU that torch can use: generating on the CPU")
    return on_cpu


def _by_onnxruntime(model: StoredModel) -> Engine:
    from services.common.engines.onnx_cpu import OnnxCpuEngine

    return OnnxCpuEngine(model.weights())


def _by_openvino(model: StoredModel) -> Engine:
    return OpenVinoEngine(model.weights())


def _on_gpu(precision: str) -> Opening:
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
