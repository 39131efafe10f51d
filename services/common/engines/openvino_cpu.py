"""The other CPU engine: OpenVINO, in bfloat16 where the processor computes in it. Needs the extra `openvino`."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from services.common.engines.cores import usable_cores
from services.common.errors import ConfigError

_PRECISIONS = {"bf16": "bfloat16", "f32": "float32"}
# The key under which an ONNX file names another one that holds its weights.
_ELSEWHERE = b"location"


class OpenVinoEngine:
    """Runs one ONNX file of one input and one output on the CPU. threads: as many as usable cores, unless given.

    Raises ConfigError without OpenVINO, and for a model whose weights are in other files.
    """

    batch_px = 0

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        check_openvino()
        # OpenVINO takes weights from files of the working directory: a hostile model could copy a secret file into its
        # image that way. Our models need no other files.
        if _ELSEWHERE in model:
            raise ConfigError(
                "expected a model that holds its weights; got one that names another file; export it anew"
            )
        # Importing OpenVINO tells its makers so over the network, unless this package of theirs cannot be imported.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # how Python marks such a module
        import openvino

        core = openvino.Core()
        precision = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads or usable_cores(),
            "NUM_STREAMS": "1",  # a single image has all threads
            "ENABLE_CPU_PINNING": False,  # threads of several processes would be bound to the same cores
        }
        self._compiled = core.compile_model(core.read_model(model), "CPU", settings)
        self.precision = _PRECISIONS[precision]
        # The version is in a result's identity: versions differ in bits.
        self.name = f"openvino-{openvino.__version__.split('-')[0]}-cpu"

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, C, H, W) to (B, D, h, w)."""
        # A request serves one thread at a time; several wait inside for the one stream.
        request = self._compiled.create_infer_request()
        image: NDArray[np.float32] = request.infer([planes], share_inputs=True)[0]
        return image

    def rest(self) -> None:
        """Free the memory of activations; the C library keeps some of it for what is allocated next."""
        self._compiled.release_memory()


def check_openvino() -> None:
    """Raise ConfigError, in plain words, where OpenVINO is not installed."""
    if find_spec("openvino") is None:
        raise ConfigError(
            "BIOSYNTH_CPU_ENGINE: openvino needs the package openvino, which is not installed; install the extra "
            "`openvino`, or set onnxruntime"
        )
