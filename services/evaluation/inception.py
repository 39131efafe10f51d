"""The features that FID compares, of the Inception network that an operator mounts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.errors import ConfigError, InvalidImage
from services.evaluation.mounted import MountedNetwork, may_be
from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import Features
from services.evaluation.sets.windows import cut_windows

VARIABLE = "BIOSYNTH_INCEPTION_FILE"
INPUT_PX = 299
# Of a field: each takes the network a tenth of a second or more.
MOST_PER_FIELD = 8
EXPECTED = (
    f"one input (N, 3, {INPUT_PX}, {INPUT_PX}) float32, N open or 1, and one float32 output (N, d) of finite numbers"
)


class Inception:
    """Runs one ONNX file from (N, 3, 299, 299) float32 on 0..1 to (N, d), on the CPU in float32.

    The file has in it whatever else its network wants, such as another range of values. It sees windows one by one.
    Calls from several threads at once are safe. sha256: the file's, in hexadecimal.
    """

    def __init__(self, file: Path, threads: int | None = None) -> None:
        """Load `file` and look at a grey window; threads: by default one for each usable core.

        Raises ConfigError where the file cannot be read, is no ONNX file or is another network than this needs, or
        where the package onnxruntime is absent.
        """
        network = MountedNetwork(VARIABLE, file, EXPECTED, _fits, threads)
        self.sha256, self._session = network.sha256, network.session
        try:
            self._size = len(self._look(np.full((INPUT_PX, INPUT_PX), 0.5, np.float32)))
        except InvalidImage as error:
            raise ConfigError(f"{VARIABLE}: expected a network with {EXPECTED}; {error.message} in {file}") from error

    def measure(self, field: Field) -> Features:
        """Features of at most 8 windows of 128 x 128 px, evenly chosen, (n, d); n is 0 for a smaller field.

        Raises InvalidImage where the network gives no finite numbers for one.
        """
        rows = [self._look(window) for window in cut_windows(field.image, most=MOST_PER_FIELD)]
        return np.stack(rows) if rows else np.empty((0, self._size))

    def _look(self, window: NDArray[np.float32]) -> NDArray[np.float64]:
        """(S, S) on 0..1 to (d,): enlarged by bilinear interpolation, and grey in all three channels."""
        large = cv2.resize(window, (INPUT_PX, INPUT_PX), interpolation=cv2.INTER_LINEAR)
        planes = np.ascontiguousarray(np.broadcast_to(large, (1, 3, *large.shape)))
        try:
            [found] = self._session.run(None, {self._session.get_inputs()[0].name: planes})
        except Exception as error:  # onnxruntime's errors have no base of their own
            raise InvalidImage("the Inception network gave an error") from error
        if found.ndim != 2 or len(found) != 1 or not found.size or not np.isfinite(found).all():
            raise InvalidImage(f"expected finite features (1, d) of the Inception network; got shape {found.shape}")
        return np.asarray(found[0], np.float64)


def _fits(session: Any) -> bool:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or {inputs[0].type, outputs[0].type} != {"tensor(float)"}:
        return False
    shape = inputs[0].shape
    sides = zip(shape, (1, 3, INPUT_PX, INPUT_PX), strict=False)
    return len(shape) == 4 and all(may_be(side, size) for side, size in sides) and len(outputs[0].shape) in (0, 2)
