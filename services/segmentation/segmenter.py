"""What a segmenter is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Segmentation

Image: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class Found:
    """What a segmenter found in an image, and how sure it is of it.

    confidence: by part, a value from 0 to 1 for every label, that of label 1 first; parts of which the segmenter tells
    none are absent, and a label of which it tells none has NaN. diameter_px: the typical diameter of objects that it
    went by; None: it goes by none. warnings: what callers should know of it, in sentences.
    """

    segmentation: Segmentation
    confidence: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    diameter_px: float | None = None
    warnings: tuple[str, ...] = ()


# What is found in a later frame of a time series, of that frame and the first one.
Follow: TypeAlias = Callable[[Image, Image], Found]


@dataclass(frozen=True)
class Segmenter:
    """Finds the same parts in every image; same image, same output.

    name: what callers ask for. version: rises when the output changes, since stored results are kept apart by it.
    parts: what it finds, in the order of PARTS. description: what it is for, in a sentence. find: takes an image,
    (H, W), and the diameter of a typical object in pixels, None for unknown; it numbers labels from 1 without gaps.
    takes_diameter: whether the diameter changes anything. by_name_only: `auto` never chooses it. follow: finds the same
    in a later frame of a time series; None: it looks at frames one by one only.
    """

    name: str
    version: int | str
    parts: tuple[str, ...]
    description: str
    find: Callable[[Image, float | None], Found]
    takes_diameter: bool = False
    by_name_only: bool = False
    follow: Follow | None = None

    def segment(self, image: Image) -> Segmentation:
        """What it finds in an image, (H, W), of which nothing else is known."""
        return self.find(image, None).segmentation
