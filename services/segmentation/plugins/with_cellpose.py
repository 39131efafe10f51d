"""Cellpose as a plug-in. The package and its weights are the operator's; nothing is downloaded.

Cellpose 3 runs `cyto` and `nuclei`, Cellpose 4 its SAM model (Stringer et al. 2021; Pachitariu et al. 2025).
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.errors import ConfigError, Unsupported
from services.common.settings import Settings
from services.segmentation.plugins.weights import made_of, version_of
from services.segmentation.segmenter import Image

PACKAGE = "cellpose"
# Cellpose drops smaller objects, and fails on an image of one pixel.
_SMALLEST_PX = 15


@dataclass(frozen=True)
class Preset:
    """major: of the package. making, evaluating: arguments of CellposeModel and of its eval. variable: of the file."""

    name: str
    part: str
    description: str
    major: int
    variable: str
    diameter_px: float | None
    making: Mapping[str, Any]
    evaluating: Mapping[str, Any]


# Diameters and the flow threshold of `cyto` are those of the scratch assays that biosynth began with. Both models take
# the image as their one grey channel. diam_mean: the diameter that the network was trained at, where no file says it.
CYTO = Preset(
    "cellpose-cyto", "cells", "Cells by Cellpose 3, model cyto.", 3, "BIOSYNTH_CELLPOSE_CYTO_FILE", 31.1,
    {"diam_mean": 30.0}, {"channels": [0, 0], "flow_threshold": 0.9},
)  # fmt: skip
NUCLEI = Preset(
    "cellpose-nuclei", "nuclei", "Nuclei by Cellpose 3, model nuclei.", 3, "BIOSYNTH_CELLPOSE_NUCLEI_FILE", 15.2,
    {"diam_mean": 17.0}, {"channels": [0, 0], "flow_threshold": 0.4},
)  # fmt: skip
# It was trained on objects of many sizes, so that it needs no diameter.
SAM = Preset(
    "cellpose-sam", "cells", "Cells by Cellpose 4, model SAM.", 4, "BIOSYNTH_CELLPOSE_SAM_FILE", None,
    {}, {"flow_threshold": 0.4},
)  # fmt: skip


class Cellpose:
    """A plug-in (see plugin.Plugin). Raises Unsupported where the package or the weights are not there."""

    takes_diameter = True

    def __init__(self, preset: Preset, file: Path | None) -> None:
        self._preset, self._file = preset, file
        self.parts, self.description = (preset.part,), preset.description
        self.preset_diameter_px = preset.diameter_px
        self.version = made_of((PACKAGE, "torch"), [file] if file else [])

    def __call__(self, image: Image, diameter_px: float | None) -> dict[str, NDArray[Any]]:
        """Find the objects of one image, (H, W)."""
        model = self._model
        if image.size < _SMALLEST_PX:
            return {self._preset.part: np.zeros(image.shape, np.int32)}
        masks, *_ = model.eval(image, diameter=diameter_px, **self._preset.evaluating)
        return {self._preset.part: masks.reshape(image.shape)}  # Cellpose drops axes of one pixel

    @cached_property
    def _model(self) -> Any:
        preset, installed = self._preset, version_of(PACKAGE)
        if installed is None or int(installed.split(".")[0]) != preset.major:
            wanted = f"'{PACKAGE}>={preset.major},<{preset.major + 1}'"
            raise Unsupported(
                f"segmenter {preset.name} needs the package {wanted} beside the segmentation service; "
                f"installed: {installed or 'none'}; pip install {wanted}"
            )
        if self._file is None:
            raise Unsupported(
                f"segmenter {preset.name} needs its weights, which biosynth neither has nor downloads: mount the file "
                f"and set {preset.variable} to its path"
            )
        _check_weights(self._file, preset.variable)
        from cellpose.models import CellposeModel

        return CellposeModel(gpu=True, pretrained_model=str(self._file), **preset.making)  # a GPU where there is one


def cyto() -> Cellpose:
    """`cellpose-cyto`."""
    return Cellpose(CYTO, Settings(os.environ).file(CYTO.variable))


def nuclei() -> Cellpose:
    """`cellpose-nuclei`."""
    return Cellpose(NUCLEI, Settings(os.environ).file(NUCLEI.variable))


def sam() -> Cellpose:
    """`cellpose-sam`."""
    return Cellpose(SAM, Settings(os.environ).file(SAM.variable))


def _check_weights(file: Path, variable: str) -> None:
    """Raise ConfigError for what holds more than tensors: Cellpose 4 itself also reads it in a way that trusts it."""
    import torch

    try:
        torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise ConfigError(
            f"{variable}: expected weights as torch saves them and nothing else, which could run code; "
            f"{file.name} is not such a file"
        ) from error
