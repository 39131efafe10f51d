"""The CPU engine: ONNX Runtime, no torch."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(cpu_max: Path = _CPU_MAX) -> int:
    """Cores that this process may use; ONNX Runtime would count those of the whole machine.

    cpu_max: the quota of a container (cgroup v2), `QUOTA PERIOD` in microseconds or `max PERIOD`. More threads than
    the quota has cores would use it up early in each period and then all stand still.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = cpu_max.read_text(encoding="ascii").split()
    except (OSError, ValueError):  # no Linux, cgroup v1, or not in a container
        return cores
    if quota == "max":
        return cores
    return max(1, min(cores, math.ceil(int(quota) / int(period))))


class OnnxCpuEngine:
    """Runs one ONNX file of one input and one output on the CPU in float32."""

    name = "onnxruntime-cpu"
    precision = "float32"

    def __init__(self, model: Path | bytes, threads: int | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        options.inter_op_num_threads = 1
        # Warnings about the machine (no GPU found and the like) belong in `biosynth info`, not on stderr.
        options.log_severity_level = 3
        source = model if isinstance(model, bytes) else str(model)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, C, H, W) to (B, 1, H, W)."""
        result: NDArray[np.float32] = self._session.run(None, {self._input: planes})[0]
        return result
