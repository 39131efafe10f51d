"""Sets that are worse on purpose: how a figure answers to them says what it sees, and what unusable means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.noise import noise_deviation
from services.evaluation.sets.field import Field, FieldSet
from services.evaluation.sets.objects import find_objects

BLUR_SIGMA_PX = 2.0


def blurred(fields: FieldSet, _: int) -> Iterator[Field]:
    """Each image under a Gaussian of sigma 2 px, rounded to 8 bit as images are."""
    for field in fields:
        yield replace(field, image=_rounded(cv2.GaussianBlur(field.image, (0, 0), BLUR_SIGMA_PX)))


def flat_paint(fields: FieldSet, seed: int) -> Iterator[Field]:
    """Each object, and the background, at its mean grey, with normal noise of the background's deviation.

    Rounded to 8 bit. Fields without labels of objects are left out.
    """
    for number, field in enumerate(fields):
        objects = find_objects(field)
        if objects is not None:
            flat = objects.ravel()
            greys = np.bincount(flat, field.image.ravel()) / np.maximum(np.bincount(flat), 1)
            noise = np.random.default_rng([seed, number]).standard_normal(objects.shape)
            yield replace(field, image=_rounded(greys[objects] + noise_deviation(field.image, objects == 0) * noise))


def shuffled_labels(fields: FieldSet, _: int) -> Iterator[Field]:
    """Each image with the labels of the next one of its size; fields that are alone in their size are left out."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for at, shape in enumerate(fields.shapes):
        alike.setdefault(shape, []).append(at)
    for places in alike.values():
        for at, other in zip(places, places[1:] + places[:1], strict=True):
            if other != at:
                yield replace(fields[at], labels=fields[other].labels)


def _rounded(image: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(np.rint(np.clip(image, 0, 1) * 255) / 255, np.float32)


FLOORS: Mapping[str, Callable[[FieldSet, int], Iterator[Field]]] = {
    "blurred": blurred,
    "flat_paint": flat_paint,
    "shuffled_labels": shuffled_labels,
}
