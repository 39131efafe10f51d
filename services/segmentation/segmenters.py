"""What a segmenter is, those built in, and how `auto` chooses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.errors import at
from services.common.imaging.labels import Segmentation
from services.common.names import check_name
from services.segmentation.cells import find_cells
from services.segmentation.learned.segmenter import shipped
from services.segmentation.nuclei import find_nuclei
from services.segmentation.scratch import find_scratch
from services.segmentation.wound import find_wound

Image: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]

AUTO = "auto"


@dataclass(frozen=True)
class Segmenter:
    """Finds the same parts in every image; same image, same output.

    name: what callers ask for. version: rises when the output changes, since stored results are kept apart by it.
    parts: what it finds, in the order of PARTS. description: what it is for, in a sentence. find: takes an image,
    (H, W), and numbers its labels from 1 without gaps.
    """

    name: str
    version: int
    parts: tuple[str, ...]
    description: str
    find: Callable[[Image], Segmentation]


def builtin_segmenters() -> dict[str, Segmenter]:
    """The segmenters that come with the package, by name."""
    learned = shipped("nuclei")
    segmenters = (
        Segmenter(
            "cells",
            2,
            ("cells",),
            "Whole cells in phase contrast, by texture and a watershed of brightness; a first attempt.",
            lambda image: Segmentation(cells=find_cells(image)),
        ),
        Segmenter(
            "nuclei",
            learned.description.version,
            ("nuclei",),
            learned.description.description,
            lambda image: Segmentation(nuclei=learned.find(image)),
        ),
        Segmenter(
            "nuclei-threshold",
            2,
            ("nuclei",),
            "Bright nuclei on a dark ground (fluorescence), by threshold and distance watershed; no network.",
            lambda image: Segmentation(nuclei=find_nuclei(image)),
        ),
        Segmenter(
            "scratch",
            3,
            ("cells", "wound"),
            "Cells and wound of a scratch assay in phase contrast; cells within the wound are cut out of it.",
            find_scratch,
        ),
        Segmenter(
            "wound",
            1,
            ("wound",),
            "The cell-free zone that spans a scratch assay, by texture.",
            lambda image: Segmentation(wound=find_wound(image)),
        ),
    )
    return {segmenter.name: segmenter for segmenter in segmenters}


def choose(image: Image) -> str:
    """The segmenter that `auto` runs: `nuclei` for fluorescence, else `scratch`.

    image: (H, W). Fluorescence is bright objects on a dark ground, so a quarter of the pixels lie in the lowest part of
    the range of brightness. Phase contrast has halos above and cell bodies below a grey ground. Measured: that quarter
    ends below 0.08 of the range in 433 fields of nuclei, and above 0.13 in 51 of phase contrast.

    >>> image = np.full((20, 20), 10, np.uint8)
    >>> image[5:9, 5:9] = 200
    >>> choose(image), choose(255 - image)
    ('nuclei', 'scratch')
    """
    calm = cv2.medianBlur(image, 3)  # single hot or dead pixels must not set the range
    low, quarter, high = np.percentile(calm, (0.1, 25, 99.9))
    return "nuclei" if high > low and (quarter - low) < 0.105 * (high - low) else "scratch"


def eligible(segmenters: Mapping[str, Segmenter], name: str, candidates: Collection[str] = ()) -> dict[str, Any]:
    """Versions of those that `pick` may pick, by name.

    Raises UnknownName, or InvalidArgument for what is no name, for a name or candidate that is not in `segmenters`.
    """
    with at("segmenter"):
        check_name("segmenter", name, (*segmenters, AUTO))
    for number, candidate in enumerate(candidates):
        with at(f"candidates[{number}]"):
            check_name("segmenter", candidate, segmenters)
    among = (name,) if name != AUTO else candidates or segmenters
    return {one: segmenters[one].version for one in sorted(among)}


def pick(segmenters: Mapping[str, Segmenter], name: str, image: Image, candidates: Collection[str] = ()) -> Segmenter:
    """The segmenter called `name`; for `auto`, the one that fits `image` among `candidates` (empty: any).

    Where `choose`'s answer is not a candidate, the first candidate by name is taken. Raises as `eligible`.
    """
    eligible(segmenters, name, candidates)
    if name != AUTO:
        return segmenters[name]
    best = choose(image)
    return segmenters[best if not candidates or best in candidates else min(candidates)]
