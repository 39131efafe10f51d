"""The CPU engine: ONNX Runtime, no torch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from services.common.engines.cores import usable_cores

OPSET = 18  # of the ONNX files that training writes
_SMALL = 512 * 512  # pixels whose activations are worth keeping room for, since such images come by the thousand
_LEAST = 64  # px; a multiple of every network's stride


class OnnxCpuEngine:
    """Runs one ONNX file of one input on the CPU in float32.

    threads: as many as usable cores, unless given. output: which to return; the first, unless given.
    """

    name = "onnxruntime-cpu"
    precision = "float32"
    batch_px = 0

    def __init__(self, model: Path | bytes, threads: int | None = None, output: str | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        options.inter_op_num_threads = 1
        # Tiles have several sizes; a plan of memory kept for each takes a third more, and no less time (measured).
        options.enable_mem_pattern = False
        # Idle threads of the pool would spin, and take the cores from the event loop and from other computations.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Warnings about the machine (no GPU found and the like) belong in `biosynth info`, not on stderr.
        options.log_severity_level = 3
        # ONNX files may take weights from other files, by default of the working directory; a hostile one could copy a
        # secret file into its image that way. Our models need no other files, and no path under /dev/null exists.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
        source = model if isinstance(model, bytes) else str(model)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self._input, self._planes = self._session.get_inputs()[0].name, self._session.get_inputs()[0].shape[1]
        self._output = output or self._session.get_outputs()[0].name
        self._grown = False

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, C, H, W) to (B, D, h, w)."""
        self._grown = self._grown or planes.shape[-2] * planes.shape[-1] > _SMALL
        result: NDArray[np.float32] = self._session.run([self._output], {self._input: planes})[0]
        return result

    def rest(self) -> None:
        """Give memory back that images larger than 512x512 took: ONNX Runtime does so only at the end of a run."""
        if self._grown:
            self._grown = False
            options = onnxruntime.RunOptions()
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
            planes = np.zeros((1, self._planes, _LEAST, _LEAST), np.float32)
            self._session.run([self._output], {self._input: planes}, options)
