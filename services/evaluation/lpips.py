"""LPIPS: how far two images are apart for a network that was trained to judge as people do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidImage
from services.common.imaging.images import Image
from services.evaluation.mounted import MountedNetwork, may_be

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
        network = MountedNetwork(VARIABLE, file, EXPECTED, _fits, threads)
        self.sha256, self._session = network.sha256, network.session

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


def _fits(session: Any) -> bool:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    return (
        sorted(one.name for one in inputs) == ["x", "y"]
        and all(len(one.shape) == 4 and may_be(one.shape[0], 1) and one.shape[1] == 3 for one in inputs)
        and len(outputs) == 1
        and all(may_be(side, 1) for side in outputs[0].shape)
        and {one.type for one in (*inputs, *outputs)} == {"tensor(float)"}
    )
