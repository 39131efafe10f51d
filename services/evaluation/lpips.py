"""LPIPS: how far two images are apart for a network that was trained to judge as people do."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.engines.cores import usable_cores
from services.common.errors import ConfigError, InvalidImage
from services.common.imaging.images import Image

VARIABLE = "BIOSYNTH_LPIPS_FILE"
EXPECTED = "inputs x and y of (1, 3, H, W) float32 and one float32 output of one number"


class Lpips:
    """Runs one ONNX file, backbone and linear weights in it, on the CPU in float32; 0 for equal images.

    The file comes from the operator: no weights are shipped, downloaded or made up. It takes `x` and `y`, each
    (1, 3, H, W) float32 on [-1, 1], and gives one number. After Zhang et al. (CVPR 2018); docs/method.md, Metrics.
    Calls from several threads at once are safe. sha256: the file's, in hexadecimal.
    """

    def __init__(self, file: Path, threads: int | None = None) -> None:
        """Load `file`; threads: by default one for each usable core.

        Raises ConfigError where the file cannot be read, is no ONNX file or has other inputs or outputs, or where the
        package onnxruntime is absent.
        """
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"{VARIABLE}: expected an ONNX file at {file}, got {error.strerror}; mount it, or unset the variable"
            ) from error
        self.sha256 = hashlib.sha256(content).hexdigest()  # results of other weights are other results
        self._session = _open(content, threads or usable_cores(), file)
        if not _fits(self._session):
            raise ConfigError(
                f"{VARIABLE}: expected a network with {EXPECTED}; got {_describe(self._session)} in {file}"
            )

    def __call__(self, real: Image, generated: Image) -> float:
        """The distance of two images (H, W), uint8 or uint16, of one size; full scale counts as white.

        Raises InvalidImage where the network takes no images of this size, or gives no finite number for them.
        """
        try:
            [result] = self._session.run(None, {"x": _planes(real), "y": _planes(generated)})
        except Exception as error:  # onnxruntime's errors have no base of their own
            raise InvalidImage(f"expected images of a size that the LPIPS network takes, got {real.shape}") from error
        if result.size != 1 or not np.isfinite(result).all():
            raise InvalidImage(f"expected images that the LPIPS network gives a finite number for, got {real.shape}")
        return float(result.item())


def _planes(image: Image) -> NDArray[np.float32]:
    grey = image.astype(np.float32) * np.float32(2 / np.iinfo(image.dtype).max) - np.float32(1)
    return np.repeat(grey[None, None], 3, axis=1)  # (1, 3, H, W)


def _open(content: bytes, threads: int, file: Path) -> Any:
    try:
        # Not at the top: a service without LPIPS needs no ONNX Runtime, and its image may lack it.
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            f"{VARIABLE}: expected the package onnxruntime, which is not installed; install it, or unset the variable"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is told by our own errors
    # A hostile file could take weights from other files, as in services/common/engines/onnx_cpu.py.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no base of their own
        raise ConfigError(
            f"{VARIABLE}: expected an ONNX file with all weights in it; {file} cannot be loaded"
        ) from error


def _fits(session: Any) -> bool:
    """Whether inputs and outputs are the expected ones; a side that the file leaves open has a name, or None."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    return (
        sorted(one.name for one in inputs) == ["x", "y"]
        and all(len(one.shape) == 4 and _may_be_1(one.shape[0]) and one.shape[1] == 3 for one in inputs)
        and len(outputs) == 1
        and all(_may_be_1(side) for side in outputs[0].shape)
        and {one.type for one in (*inputs, *outputs)} == {"tensor(float)"}
    )


def _may_be_1(side: int | str | None) -> bool:
    return side == 1 or not isinstance(side, int)


def _describe(session: Any) -> str:
    inputs, outputs = (
        ", ".join(f"{one.name} {tuple(one.shape)} {one.type}" for one in group)
        for group in (session.get_inputs(), session.get_outputs())
    )
    return f"inputs {inputs or 'none'} and outputs {outputs}"
