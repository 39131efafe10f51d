"""From images and labels (given, or found by a segmenter) to a dataset of pairs with their labels."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.errors import BiosynthError, InvalidArgument
from services.common.imaging.images import Image, decode_image, encode_png
from services.common.imaging.intensity import to_eight_bit
from services.common.imaging.labels import Labels, Segmentation, with_absent
from services.common.imaging.masks.names import ENDINGS_TOLD, find_labels
from services.common.imaging.masks.reading import read_masks
from services.reference.render import render
from services.reference.schemas import Schema, named
from services.segmentation.builtin import builtin_segmenters
from services.training.datasets.dataset import MANIFEST, DatasetManifest, Entry, check_groups, write_manifest
from services.training.datasets.recipe import Recipe, Source
from services.training.datasets.roles import roles_of

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Job:
    """One image to turn into a pair."""

    source: Source
    path: Path
    split: str
    group: str

    @property
    def id(self) -> str:
        """Unique in the dataset."""
        return f"{self.source.name}-{self.path.stem}"


def plan(recipe: Recipe, root: Path) -> list[Job]:
    """List the images of a recipe below `root`, sorted.

    Raises InvalidArgument for no images, an image without a split, two of one name, or an unknown segmenter.
    """
    jobs = [job for source in recipe.sources for job in _jobs(source, root)]
    if twice := sorted(name for name, count in Counter(job.id for job in jobs).items() if count > 1):
        raise InvalidArgument(f"expected names unlike each other in {recipe.name}; twice: {', '.join(twice[:5])}")
    check_groups([_entry(job, ()) for job in jobs])
    return jobs


def build(recipe: Recipe, root: Path, folder: Path) -> Iterator[Job]:
    """Write every pair and, at the end, the manifest; yields each job when it is done.

    8-bit images keep their values; 16-bit ones are stretched from their 0.1 to their 99.9 percentile.
    Raises InvalidArgument naming the file that fails.
    """
    schema = named(recipe.schema)
    jobs = plan(recipe, root)
    folder.mkdir(parents=True, exist_ok=True)
    # A manifest marks a folder as complete: it must go before pairs are overwritten.
    (folder / MANIFEST).unlink(missing_ok=True)
    entries = []
    for job in jobs:
        try:
            image = decode_image(job.path.read_bytes())
            segmentation = _segmentation(job, root, image, schema)
            entries.append(write_pair(_entry(job, instances(schema)), image, segmentation, schema, folder))
        except BiosynthError as error:
            raise InvalidArgument(f"{job.path}: {error.message}") from error
        yield job
    provenance = tuple(f"{source.name}: {source.credit}" for source in recipe.sources)
    write_manifest(
        folder, DatasetManifest(recipe.name, schema.name, schema.version, roles_of(schema), tuple(entries), provenance)
    )


def write_pair(entry: Entry, image: Image, segmentation: Segmentation, schema: Schema, folder: Path) -> Entry:
    """Draw and write one pair with its labels; returns the entry with their digest.

    Raises InvalidArgument for sizes that differ.
    """
    if segmentation.shape != image.shape:
        raise InvalidArgument(f"expected labels of the image's size, {image.shape}; got {segmentation.shape}")
    rendered = render(segmentation, schema, image=image)
    planes: dict[str, NDArray[Any]] = {entry.image: to_eight_bit(image), entry.reference: rendered.reference}
    planes |= {name: _sixteen_bit(getattr(segmentation, part)) for part, name in entry.labels.items()}
    for name, plane in planes.items():
        (folder / name).write_bytes(encode_png(plane))
    return replace(entry, sha256=_digest(planes.values()))


def instances(schema: Schema) -> list[str]:
    """The parts that references show and that have instances: their labels are kept beside the pair."""
    return [part for part in ("cells", "nuclei") if part in schema.parts]


def _segmentation(job: Job, root: Path, image: Image, schema: Schema) -> Segmentation:
    parts = {part: _read_labels(root / folder, job.path.stem, part) for part, folder in job.source.labels.items()}
    found = {}
    if job.source.segmenter:
        result = builtin_segmenters()[job.source.segmenter].segment(image)
        found = {part: getattr(result, part) for part in result.parts}
    known = Segmentation(**{part: array for part, array in {**found, **parts}.items() if part in schema.parts})
    return with_absent(known, [part for part in job.source.absent if part in schema.parts])


def _read_labels(folder: Path, name: str, part: str) -> NDArray[Any]:
    path = find_labels(folder, name)
    if path is None:
        raise InvalidArgument(f"expected masks of {part} in {folder} named {name} ({ENDINGS_TOLD}); found none")
    labels = read_masks(path.read_bytes(), part).labels(part)
    return labels > 0 if part == "wound" else labels


def _sixteen_bit(labels: Labels) -> NDArray[np.uint16]:
    if labels.max(initial=0) > np.iinfo(np.uint16).max:
        raise InvalidArgument(f"expected labels up to 65535, which a 16-bit PNG can hold; got {labels.max()}")
    return labels.astype(np.uint16)


def _digest(planes: Iterable[NDArray[Any]]) -> str:
    # Of pixels, not of files: another version of the PNG library may write the same ones otherwise.
    digest = hashlib.sha256()
    for plane in planes:
        digest.update(f"{plane.dtype} {plane.shape} ".encode() + plane.tobytes())
    return digest.hexdigest()


def _entry(job: Job, parts: Sequence[str]) -> Entry:
    files = (f"{job.id}.reference.png", f"{job.id}.image.png")
    labels = {part: f"{job.id}.{part}.png" for part in parts}
    return Entry(job.id, job.split, job.group, job.source.name, *files, job.source.segmenter, labels)


def _jobs(source: Source, root: Path) -> Iterator[Job]:
    if source.segmenter and source.segmenter not in builtin_segmenters():
        raise InvalidArgument(
            f"expected a segmenter among {', '.join(builtin_segmenters())} in source {source.name}; "
            f"got {source.segmenter}"
        )
    try:
        paths = sorted(root.glob(source.images))
    except (NotImplementedError, ValueError) as error:
        raise InvalidArgument(f"expected a glob below the data root for images; got {source.images!r}") from error
    if not paths:
        raise InvalidArgument(f"expected images at {root / source.images}; found none; is --data right?")
    table = _read_table(root / source.split) if isinstance(source.split, str) else None
    for path in paths:
        split, group = table[path.stem] if table and path.stem in table else _by_prefix(path, source)
        if split not in SPLITS:
            raise InvalidArgument(f"expected a split among {', '.join(SPLITS)} for {path.name}; got {split!r}")
        yield Job(source, path, split, group)


def _by_prefix(path: Path, source: Source) -> tuple[str, str]:
    if not isinstance(source.split, str):
        # The longest: else `well1` would take the images of `well10`.
        prefix = max(filter(path.name.startswith, source.split), key=len, default=None)
        if prefix is not None:
            return source.split[prefix], prefix
    raise InvalidArgument(f"expected a split for {path.name} in source {source.name}; add it to {source.split}")


def _read_table(path: Path) -> dict[str, tuple[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["id"]: (row["split"], row.get("group") or row["id"]) for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise InvalidArgument(f"expected a CSV with columns id and split at {path}; {error!r}") from error
