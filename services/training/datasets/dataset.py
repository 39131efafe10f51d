"""A dataset on disk: pairs (reference, image) with their labels, split by parent or group, and the list of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Labels
from services.common.whole_files import write_file
from services.generation.roles import LevelRoles

MANIFEST = "dataset.json"
FORMAT = "biosynth.dataset/1"


@dataclass(frozen=True)
class Entry:
    """One pair, with the labels that its reference was drawn from; file names are relative to the dataset's folder."""

    id: str
    split: str
    group: str
    source: str
    reference: str
    image: str
    labelled_by: str = ""  # the segmenter that made some of the labels; empty: people made all
    labels: Mapping[str, str] = field(default_factory=dict)  # instance label maps, 16-bit PNG, by part
    sha256: str = ""  # of the pixels of image, reference and labels; "": written by a version that kept none


@dataclass(frozen=True)
class DatasetManifest:
    """What a dataset holds; `provenance` is free text for the model card."""

    name: str
    schema_name: str
    schema_version: int
    roles: LevelRoles
    entries: tuple[Entry, ...]
    provenance: tuple[str, ...] = ()

    def chosen(self, split: str) -> list[Entry]:
        """Return the entries of one split."""
        return [entry for entry in self.entries if entry.split == split]

    def needed(self, split: str) -> list[Entry]:
        """Return the entries of one split. Raises InvalidArgument for none."""
        if not (found := self.chosen(split)):
            counts = ", ".join(
                f"{count} {name}" for name, count in sorted(Counter(e.split for e in self.entries).items())
            )
            raise InvalidArgument(
                f"expected at least one {split} field in dataset {self.name}; got {counts or 'no fields'}; change the "
                "split and make it again with `biosynth dataset`"
            )
        return found


def write_manifest(folder: Path, manifest: DatasetManifest) -> None:
    """Write the list of pairs; last, so that a folder with one is complete.

    Raises InvalidArgument where a group stands on both sides of a split.
    """
    check_groups(manifest.entries)
    body = {"format": FORMAT, **asdict(manifest)}
    write_file(folder / MANIFEST, (json.dumps(body, indent=1, sort_keys=True) + "\n").encode())


def read_manifest(folder: Path) -> DatasetManifest:
    """Read the list of pairs. Raises InvalidArgument for a folder that is no dataset."""
    path = folder / MANIFEST
    if not path.is_file():
        raise InvalidArgument(
            f"expected a dataset, a folder with {MANIFEST}; got {folder}; make one with `biosynth dataset`"
        )
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if body.pop("format", None) != FORMAT:
            raise ValueError("another format")
        body["roles"] = LevelRoles(**{name: tuple(levels) for name, levels in body["roles"].items()})
        body["entries"] = tuple(Entry(**entry) for entry in body["entries"])
        body["provenance"] = tuple(body["provenance"])
        return DatasetManifest(**body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidArgument(
            f"expected {path} in format {FORMAT}; got {error}; make it again with `biosynth dataset`"
        ) from error


def fingerprint(folder: Path) -> str:
    """SHA-256 of the list of pairs, which names a dataset: the list has a digest of each pair's pixels."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def check_groups(entries: Sequence[Entry]) -> None:
    """Refuse a split that tears a group: with tiles of one field on both sides, training would see test fields."""
    sides: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        sides.setdefault((entry.source, entry.group), set()).add(entry.split)
    torn = sorted(f"{source}/{group}" for (source, group), splits in sides.items() if len(splits) > 1)
    if torn:
        raise InvalidArgument(f"expected every group on one side of the split; torn: {', '.join(torn[:5])}")


def read_pair(folder: Path, entry: Entry) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return image (H, W) float32, 0 to 1, and reference (H, W) uint8. Raises InvalidArgument for a missing file."""
    image, reference = (cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED) for name in (entry.image, entry.reference))
    if image is None or reference is None or image.ndim != 2 or image.shape != reference.shape:
        raise InvalidArgument(f"expected grey {entry.image} and {entry.reference} of one size in {folder}")
    for name, plane in ((entry.image, image), (entry.reference, reference)):
        if plane.dtype != np.uint8:
            numbers = "" if np.isfinite(plane).all() else ", some of them no numbers (NaN) or infinite"
            raise InvalidArgument(
                f"expected {entry.image} and {entry.reference} of 8 bit in {folder}; {name} holds {plane.dtype}"
                + numbers
            )
    return image.astype(np.float32) / 255.0, reference.astype(np.uint8, copy=False)


def read_labels(folder: Path, entry: Entry, part: str) -> Labels:
    """Return the instance labels of a part, (H, W) int32. Raises InvalidArgument where the dataset has none."""
    if part not in entry.labels:
        raise InvalidArgument(
            f"expected labels of {part} for {entry.id}; the dataset has {', '.join(entry.labels) or 'none'}; make it "
            "again with `biosynth dataset`, from a schema and sources that have them"
        )
    labels = cv2.imread(str(folder / entry.labels[part]), cv2.IMREAD_UNCHANGED)
    if labels is None or labels.ndim != 2 or labels.dtype != np.uint16:
        raise InvalidArgument(f"expected a label map of 16 bit at {folder / entry.labels[part]}")
    return labels.astype(np.int32)
