"""A dataset of one's own images and labels, split by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Labels, with_absent
from services.evaluation.pictures import Picture, PictureSet
from services.reference.schemas import Schema, named
from services.synthesis.splits import assign_splits
from services.training.datasets.build import instances, write_pair
from services.training.datasets.dataset import MANIFEST, DatasetManifest, Entry, read_manifest, write_manifest
from services.training.datasets.roles import roles_of

# The schema that references are drawn under, by what labels show; a wound that they do not tell of is empty.
SCHEMAS: Mapping[str, str] = {"nuclei": "nuclei3", "cells": "cells4"}
SPLITS = ("train", "val")


def labelled_part(schema: Schema) -> str:
    """What masks without named parts show under a schema: the part with instances; "" where it needs both."""
    found = instances(schema)
    return found[0] if len(found) == 1 else ""


def plan_own(
    pictures: PictureSet, groups: Sequence[str], schema: Schema, shares: Sequence[float], seed: int, provenance: str
) -> DatasetManifest:
    """The dataset to make of images with labels, none of which is read yet.

    groups: of each image; one is on one side of the split. shares: of train and val. provenance: what tells other
    content apart. Raises InvalidArgument for fewer than two groups: nothing could be held out.
    """
    if len(set(groups)) < 2:
        raise InvalidArgument(
            f"expected at least two images, or two groups of them, of which one is held out; got {len(groups)} images "
            f"in {len(set(groups))} groups; cut one large image into fields"
        )
    splits = [SPLITS[number] for number in assign_splits(groups, shares, seed)]
    entries = tuple(
        Entry(
            name,
            split,
            group,
            pictures.name,
            f"{name}.reference.png",
            f"{name}.image.png",
            labels={each: f"{name}.{each}.png" for each in instances(schema)},
        )
        for name, split, group in zip(pictures.names, splits, groups, strict=True)
    )
    return DatasetManifest(pictures.name, schema.name, schema.version, roles_of(schema), entries, (provenance,))


def is_made(provenance: str, folder: Path) -> bool:
    """Whether a folder holds the dataset of this provenance, whole."""
    return (folder / MANIFEST).is_file() and read_manifest(folder).provenance == (provenance,)


def make_own(manifest: DatasetManifest, pictures: Sequence[Picture], folder: Path) -> Iterator[Entry]:
    """Write the pairs, and at the end their list; yields each entry when it is done.

    Raises InvalidArgument naming the image whose labels lack a part that the schema draws, and as reading them does.
    """
    schema = named(manifest.schema_name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    written = []
    for entry, picture in zip(manifest.entries, pictures, strict=True):
        if picture.labels is None:
            raise InvalidArgument(f"expected labels of image {picture.name!r:.80}; got none")
        if lacking := [part for part in entry.labels if part not in picture.labels.parts]:
            raise InvalidArgument(
                f"expected {', '.join(entry.labels)} of image {picture.name!r:.80}, which {schema.name} draws; its "
                f"masks lack {', '.join(lacking)}; add them with `biosynth combine`"
            )
        # Numbered from 1, so that any numbers fit 16 bit.
        counted: dict[str, Any] = {name: _counted(getattr(picture.labels, name)) for name in entry.labels}
        segmentation = with_absent(replace(picture.labels, **counted), set(schema.parts) - set(picture.labels.parts))
        written.append(write_pair(entry, picture.image, segmentation, schema, folder))
        yield entry
    write_manifest(folder, replace(manifest, entries=tuple(written)))


def _counted(labels: Labels) -> Labels:
    if labels.max(initial=0) <= np.iinfo(np.uint16).max:
        return labels
    return np.where(labels > 0, np.searchsorted(np.unique(labels[labels > 0]), labels) + 1, 0).astype(np.int32)
