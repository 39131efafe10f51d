"""The labelled fields of a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Labels
from services.training.datasets.dataset import DatasetManifest, Entry, read_labels, read_pair
from services.training.segmenter.crops import LabelledField


def entries_by_source(manifest: DatasetManifest, split: str) -> dict[str, list[Entry]]:
    """The entries of a split that people labelled, by source, sorted.

    What another segmenter labelled is left out: a network would learn its mistakes. Raises InvalidArgument for none.
    """
    found: dict[str, list[Entry]] = {}
    for entry in manifest.chosen(split):
        if not entry.labelled_by:
            found.setdefault(entry.source, []).append(entry)
    if not found:
        raise InvalidArgument(
            f"expected {split} fields of {manifest.name} that people labelled; got none among "
            f"{len(manifest.chosen(split))}"
        )
    return dict(sorted(found.items()))


def read_field(folder: Path, entry: Entry, part: str) -> LabelledField:
    """Read one field. Raises InvalidArgument for a missing file, or labels of another size."""
    return LabelledField.of(entry.id, *_read(folder, entry, part))


def read_eight_bit(folder: Path, entry: Entry, part: str) -> tuple[NDArray[np.uint8], Labels]:
    """Image (H, W) uint8, as segmenters take it, and labels (H, W) of one field. Raises as `read_field`."""
    image, labels = _read(folder, entry, part)
    return np.rint(image * 255).astype(np.uint8), labels


def _read(folder: Path, entry: Entry, part: str) -> tuple[NDArray[np.float32], Labels]:
    image, _ = read_pair(folder, entry)
    labels = read_labels(folder, entry, part)
    if labels.shape != image.shape:
        raise InvalidArgument(f"expected labels of the image's size {image.shape} for {entry.id}; got {labels.shape}")
    return image, labels


def choose_part(manifest: DatasetManifest, part: str = "") -> str:
    """The part to learn: `part`, or else the only one that the dataset has labels of. Raises InvalidArgument."""
    known = sorted({name for entry in manifest.entries for name in entry.labels})
    if (part and part not in known) or (not part and len(known) != 1):
        raise InvalidArgument(
            f"expected {'--part ' + part if part else 'one part'} among the labels of {manifest.name}, which are "
            f"{', '.join(known) or 'none: make it again with `biosynth dataset`'}"
        )
    return part or known[0]
