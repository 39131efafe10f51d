"""Synthetic fields: disks with texture on a dark ground, with noise; the same process draws any number of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Labels, Segmentation
from services.evaluation.sets.compare import RealSet, SetReport
from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import Measured, SetMetric

Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def make_fields(
    count: int,
    seed: int = 0,
    side: int = 128,
    *,
    objects: int = 12,
    radius: float = 8.0,
    ground: float = 0.15,
    bright: float = 0.45,
) -> list[Field]:
    """Fields (side, side) named 0, 1, ...; each draws its own exposure, objects and noise."""
    generators = [np.random.default_rng([seed, number]) for number in range(count)]
    return [
        make_field(str(number), generator, side, objects=objects, radius=radius, ground=ground, bright=bright)
        for number, generator in enumerate(generators)
    ]


def make_field(
    name: str, generator: np.random.Generator, side: int, *, objects: int, radius: float, ground: float, bright: float
) -> Field:
    labels: Labels = _disks(generator, side, objects, radius)
    greys = ground + bright * generator.normal(1.0, 0.15, int(labels.max()) + 1)
    greys[0] = ground * generator.normal(1.0, 0.1)
    mottle = cv2.GaussianBlur(generator.standard_normal(labels.shape, np.float32), (0, 0), 1.5)
    image = greys[labels] * (1 + np.where(labels > 0, 0.5, 0.1) * mottle)
    image = cv2.GaussianBlur(image, (0, 0), 0.7) + 0.02 * generator.standard_normal(labels.shape)
    return Field(name, rounded(image.astype(np.float32)), Segmentation(nuclei=labels))


def changed(fields: Sequence[Field], change: Change) -> list[Field]:
    """The fields with other images."""
    return [replace(field, image=rounded(change(field.image))) for field in fields]


def rounded(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """On 0..1, in steps of 8 bit."""
    return (np.rint(np.clip(image, 0, 1) * 255) / 255).astype(np.float32)


def blur(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return cv2.GaussianBlur(image, (0, 0), 2.0).astype(np.float32)


def paint_lattice(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """A lattice of 4 px, two noise deviations high."""
    lattice = np.zeros_like(image)
    lattice[::4] += 0.04
    lattice[:, ::4] += 0.04
    return image + lattice


def with_wounds(fields: Sequence[Field], widths: Sequence[int]) -> list[Field]:
    """The fields with a wound of each width, down the middle."""
    made = []
    for field, width in zip(fields, widths, strict=True):
        height, across = field.image.shape
        wound = np.zeros((height, across), np.bool_)
        left = (across - width) // 2
        wound[:, left : left + width] = True
        made.append(replace(field, labels=Segmentation(wound=wound)))
    return made


def measured(metric: SetMetric, fields: Sequence[Field]) -> list[Measured]:
    return [Measured(field.name, metric.measure(field)) for field in fields]


def figure(metric: SetMetric, real: Sequence[Field], other: Sequence[Field]) -> float:
    return metric.compare(measured(metric, real), measured(metric, other))


def compare_sets(real: Sequence[Field], generated: Sequence[Field], **given: Any) -> SetReport:
    """One generated set beside a real one."""
    return RealSet(real, **given).compare(generated)


def renamed(fields: Sequence[Field]) -> list[Field]:
    """In reverse, under other names; pairs stay pairs."""
    return [replace(field, name=f"other-{field.name}") for field in reversed(fields)]


def _disks(generator: np.random.Generator, side: int, objects: int, radius: float) -> Labels:
    y, x = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.int32)
    for number in range(1, objects + 1):
        centre, size = generator.uniform(0, side, 2), radius * generator.uniform(0.8, 1.2)
        labels[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= size**2] = number
    return labels
