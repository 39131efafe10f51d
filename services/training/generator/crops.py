"""Random crops of a dataset, with their look measured on the whole field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.generation.appearance import Look, measure
from services.generation.conditions import build_planes, draw_texture, glow_of
from services.generation.roles import LevelRoles, find_objects
from services.training.augmentation import Symmetry
from services.training.datasets.dataset import Entry, read_pair


@dataclass(frozen=True)
class Field:
    """One whole image with its reference, its objects and their look."""

    entry: Entry
    image: NDArray[np.float32]
    reference: NDArray[np.uint8]
    objects: NDArray[np.int32]
    look: Look
    glow: NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """planes (B, P, S, S); target (B, 1, S, S), normalised; scale (B, 3): background, contrast, noise of each."""

    planes: NDArray[np.float32]
    target: NDArray[np.float32]
    scale: NDArray[np.float32]


def load_fields(folder: Path, entries: Sequence[Entry], roles: LevelRoles) -> list[Field]:
    """Read and measure every pair."""
    fields = []
    for entry in entries:
        image, reference = read_pair(folder, entry)
        check_levels(entry, reference, roles)
        objects = find_objects(reference, roles)
        look = measure(image, reference, objects, roles)
        fields.append(Field(entry, image, reference, objects, look, glow_of(objects, look)))
    return fields


def check_levels(entry: Entry, reference: NDArray[np.uint8], roles: LevelRoles) -> None:
    """Raise InvalidArgument for a reference with levels that the dataset's schema lacks."""
    if (highest := int(reference.max())) >= roles.count:
        raise InvalidArgument(
            f"expected levels 0 to {roles.count - 1} in {entry.reference}, as the dataset's schema has; got {highest}; "
            "make the dataset again"
        )


def pad_to(field: Field, size: int) -> Field:
    """Continue a field that is smaller than a crop by mirroring."""
    height, width = field.image.shape
    below, right = max(0, size - height), max(0, size - width)
    if not below and not right:
        return field
    window = ((0, below), (0, right))
    return Field(
        field.entry,
        np.pad(field.image, window, mode="symmetric"),
        np.pad(field.reference, window, mode="symmetric"),
        np.pad(field.objects, window, mode="symmetric"),
        field.look,
        np.pad(field.glow, ((0, 0), *window), mode="symmetric"),
    )


class Crops:
    """Draws batches: first a source, then a field, then an origin and one of the eight symmetries of the square.

    jitter: fields are continued by mirroring until windows can move by so many pixels at least.
    Raises InvalidArgument where no field shows an object.
    """

    def __init__(
        self, fields: Sequence[Field], levels: int, size: int, generator: np.random.Generator, jitter: int = 0
    ) -> None:
        if not any(len(field.look.objects) for field in fields):
            raise InvalidArgument(f"expected training fields that show objects; got {len(fields)} fields without any")
        self.levels, self.size, self.generator = levels, size, generator
        sources: dict[str, list[Field]] = {}
        for field in fields:
            sources.setdefault(field.entry.source, []).append(pad_to(field, size + jitter))
        # Sources are equally likely, however many fields each has; within one, fields by the root of their area.
        self.sources = [(group, _weights(group)) for _, group in sorted(sources.items())]

    def batch(self, count: int) -> Batch:
        """Draw `count` crops."""
        drawn = [self._one() for _ in range(count)]
        planes, targets, scales = zip(*drawn, strict=True)
        return Batch(np.stack(planes), np.stack(targets)[:, None], np.array(scales, np.float32))

    def _one(self) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[float, float, float]]:
        fields, weights = self.sources[int(self.generator.integers(len(self.sources)))]
        field = fields[int(self.generator.choice(len(fields), p=weights))]
        top = int(self.generator.integers(field.image.shape[0] - self.size + 1))
        left = int(self.generator.integers(field.image.shape[1] - self.size + 1))
        window = (slice(top, top + self.size), slice(left, left + self.size))
        turn = Symmetry.draw(self.generator)
        texture = draw_texture((self.size, self.size), self.generator)
        glow = field.glow[:, *window]
        planes = build_planes(field.reference[window], field.objects[window], field.look, glow, texture, self.levels)
        appearance = field.look.appearance
        target = (field.image[window] - appearance.background) / appearance.contrast
        scale = (appearance.background, appearance.contrast, appearance.noise)
        return turn(planes), turn(target), scale


def _weights(fields: Sequence[Field]) -> NDArray[np.float64]:
    roots = np.array([np.sqrt(field.image.size) for field in fields])
    weights: NDArray[np.float64] = roots / roots.sum()
    return weights
