"""StarDist (Schmidt et al. 2018) as a plug-in. The package and the model's folder are the operator's."""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from services.common.errors import ConfigError, Unsupported
from services.common.settings import Settings
from services.segmentation.plugins.weights import made_of, version_of
from services.segmentation.segmenter import Image

PACKAGE = "stardist"
VARIABLE = "BIOSYNTH_STARDIST_FOLDER"
# Percentiles that become 0 and 1, as in StarDist's own examples and trained models.
_LOW, _HIGH = 1, 99.8
_TILE_PX = 1024


class StarDist:
    """A plug-in (see plugin.Plugin). Raises Unsupported where the package or the model's folder are not there."""

    parts = ("nuclei",)
    description = "Nuclei by StarDist, with a model of one grey channel."

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.version = made_of((PACKAGE, "tensorflow", "tf-keras"), _files(folder) if folder else [])

    def __call__(self, image: Image, _diameter_px: float | None) -> dict[str, NDArray[Any]]:
        """Find the nuclei of one image, (H, W)."""
        model = self._model
        from csbdeep.utils import normalize

        tiles = tuple(-(-side // _TILE_PX) for side in image.shape)  # bounds the network's memory
        labels, _ = model.predict_instances(normalize(image, _LOW, _HIGH), n_tiles=tiles, show_tile_progress=False)
        return {"nuclei": labels}

    @cached_property
    def _model(self) -> Any:
        if version_of(PACKAGE) is None:
            raise Unsupported(
                "segmenter stardist needs StarDist and TensorFlow beside the segmentation service; installed: none; "
                "pip install 'biosynth-services[stardist]'"
            )
        if self._folder is None:
            raise Unsupported(
                "segmenter stardist needs a model, which biosynth neither has nor downloads: mount its folder "
                f"(config.json, a .h5 file of weights, thresholds.json) and set {VARIABLE} to its path"
            )
        # StarDist's files of weights are of Keras 2, which TensorFlow brings as tf-keras where this is set.
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
        with redirect_stdout(sys.stderr):  # it tells what it loads; stdout is the command line's answer
            from stardist.models import StarDist2D

            return StarDist2D(None, name=self._folder.name, basedir=str(self._folder.parent))


def stardist() -> StarDist:
    """`stardist`."""
    text = Settings(os.environ).text(VARIABLE)
    return StarDist(Path(text).resolve() if text else None)


def _files(folder: Path) -> list[Path]:
    """All files that the model is made of. Raises ConfigError where the folder holds no model of one channel."""
    config, weights = folder / "config.json", sorted(folder.glob("*.h5"))
    if not config.is_file() or not weights:  # StarDist itself would go on with random weights
        raise ConfigError(f"{VARIABLE}: expected a folder with config.json and a .h5 file of weights, got {folder}")
    try:
        channels = json.loads(config.read_text()).get("n_channel_in")
    except (ValueError, AttributeError):
        raise ConfigError(f"{VARIABLE}: expected StarDist's config.json; {config} is none") from None
    if channels != 1:
        raise ConfigError(f"{VARIABLE}: expected a model of one channel (n_channel_in 1), got one of {channels}")
    thresholds = folder / "thresholds.json"
    return [config, *weights, *([thresholds] if thresholds.is_file() else [])]
