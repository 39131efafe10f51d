"""What the segmenters of a utility experiment are trained on, and what they are tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Labels
from services.training.datasets.dataset import DatasetManifest, Entry
from services.training.segmenter.crops import LabelledField
from services.training.segmenter.fields import entries_by_source, read_eight_bit, read_field

REAL, GENERATED, BOTH = "real", "generated", "both"


@dataclass(frozen=True, eq=False)
class Arm:
    """One way to train. sources: fields by kind, equally likely as `Crops` draws them."""

    name: str
    sources: Sequence[Sequence[LabelledField]]


@dataclass(frozen=True, eq=False)
class HeldOutField:
    """A real field that nobody trained on: image (H, W) uint8 and true labels (H, W) int32."""

    name: str
    image: NDArray[np.uint8]
    labels: Labels


def generated_path(folder: Path, entry: Entry) -> Path:
    """Where the generated image of a pair lies."""
    return folder / f"{entry.id}.png"


def arms_of(folder: Path, manifest: DatasetManifest, part: str, generated: Path) -> list[Arm]:
    """Real, generated, and both, with the same labels, so that only the images differ.

    generated: folder with an image for every training pair, of its size. In "both", real and generated crops are
    equally likely. Raises InvalidArgument for a generated image that is missing or of another size.
    """
    by_source = entries_by_source(manifest, "train").values()
    real = [[read_field(folder, entry, part) for entry in entries] for entries in by_source]
    made = [
        [_as_generated(field, generated_path(generated, entry)) for field, entry in zip(fields, entries, strict=True)]
        for fields, entries in zip(real, by_source, strict=True)
    ]
    return [Arm(REAL, real), Arm(GENERATED, made), Arm(BOTH, [*real, *made])]


def held_out(folder: Path, manifest: DatasetManifest, part: str) -> list[HeldOutField]:
    """The val fields that people labelled. Raises InvalidArgument for none, and as `read_field`."""
    return [
        HeldOutField(entry.id, *read_eight_bit(folder, entry, part))
        for entries in entries_by_source(manifest, "val").values()
        for entry in entries
    ]


def _as_generated(field: LabelledField, path: Path) -> LabelledField:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.shape != field.labels.shape or image.dtype not in (np.uint8, np.uint16):
        found = "none" if image is None else f"{image.shape} {image.dtype}"
        raise InvalidArgument(
            f"expected a grey image of 8 or 16 bit and {field.labels.shape} px at {path}; got {found}; generated "
            "images are named as the dataset's pairs"
        )
    return LabelledField.of(f"generated {field.name}", image, field.labels)
