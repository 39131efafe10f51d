"""A trained segmentation network on disk: its description and its weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.common.errors import ConfigError

FORMAT = "biosynth.segmenter/2"
DESCRIPTION, WEIGHTS, CARD = "model.json", "model.onnx", "CARD.md"
OUTPUTS = ("output", "features")
SHIPPED = Path(__file__).parents[1] / "models"


@dataclass(frozen=True)
class SegmenterDescription:
    """All about a network but its weights; `model.json` holds it.

    part: what its objects are, `cells` or `nuclei`. halo_px, stride_px: for exact tiling. features: how many planes its
    deepest layer has, which describe an image. sha256: of the ONNX file. diameter_px: typical of the fields it was
    trained on, to which size images are magnified. diameter_per_offset: a typical object's diameter, over the mean
    distance of pixels to their objects' centres.
    """

    name: str
    version: int
    description: str
    part: str
    halo_px: int
    stride_px: int
    features: int
    parameters: int
    sha256: str
    diameter_px: float
    diameter_per_offset: float
    training: Mapping[str, Any]


def read_segmenter(folder: Path) -> SegmenterDescription:
    """Read a description. Raises ConfigError for a folder without a valid one."""
    path = folder / DESCRIPTION
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if (found := body.pop("format")) != FORMAT:
            raise ValueError(f"expected format {FORMAT}, got {found!r:.40}")
        return SegmenterDescription(**body)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"expected a segmenter's description at {path}; {error}") from error


def read_weights(folder: Path, description: SegmenterDescription) -> bytes:
    """Read the ONNX file. Raises ConfigError where it is absent or not the one described."""
    path = folder / WEIGHTS
    if not path.is_file():
        raise ConfigError(f"expected {WEIGHTS} in the folder of segmenter {description.name}; it is absent")
    data = path.read_bytes()
    if (actual := hashlib.sha256(data).hexdigest()) != description.sha256:
        raise ConfigError(
            f"expected {WEIGHTS} of segmenter {description.name} with sha256 {description.sha256}; got {actual}"
        )
    return data


def write_segmenter(folder: Path, description: SegmenterDescription) -> None:
    """Write `model.json`."""
    body = json.dumps({"format": FORMAT, **asdict(description)}, indent=1, sort_keys=True)
    (folder / DESCRIPTION).write_text(body + "\n", encoding="utf-8")
