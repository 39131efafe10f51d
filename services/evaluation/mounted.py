"""Networks that an operator mounts as ONNX files: no weights are shipped, downloaded or made up."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.common.engines.cores import usable_cores
from services.common.errors import ConfigError


class MountedNetwork:
    """One ONNX file on the CPU in float32; calls of `session.run` from several threads at once are safe.

    sha256: the file's, in hexadecimal, since results of other weights are other results.
    """

    def __init__(
        self, variable: str, file: Path, expected: str, fits: Callable[[Any], bool], threads: int | None = None
    ) -> None:
        """Load `file`, which `variable` names; threads: by default one for each usable core.

        expected, fits: the inputs and outputs that it must have, in words and as a check of the session. Raises
        ConfigError where the file cannot be read, is no ONNX file or has others, or where onnxruntime is absent.
        """
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"{variable}: expected an ONNX file at {file}, got {error.strerror}; mount it, or unset the variable"
            ) from error
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.session = _open(variable, content, threads or usable_cores(), file)
        if not fits(self.session):
            raise ConfigError(
                f"{variable}: expected a network with {expected}; got {_describe(self.session)} in {file}"
            )


def may_be(side: int | str | None, size: int) -> bool:
    """Whether an input or output may have this size; a side that the file leaves open has a name, or None."""
    return side == size or not isinstance(side, int)


def _open(variable: str, content: bytes, threads: int, file: Path) -> Any:
    try:
        # Not at the top: a service without such networks needs no ONNX Runtime, and its image may lack it.
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            f"{variable}: expected the package onnxruntime, which is not installed; install it, or unset the variable"
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
            f"{variable}: expected an ONNX file with all weights in it; {file} cannot be loaded"
        ) from error


def _describe(session: Any) -> str:
    inputs, outputs = (
        ", ".join(f"{one.name} {tuple(one.shape)} {one.type}" for one in group)
        for group in (session.get_inputs(), session.get_outputs())
    )
    return f"inputs {inputs or 'none'} and outputs {outputs}"
