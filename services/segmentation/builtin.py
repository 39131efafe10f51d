"""The segmenters that come with the package."""

from __future__ import annotations

from collections.abc import Callable

from services.common.imaging.labels import Segmentation
from services.segmentation.cells import find_cells
from services.segmentation.learned.segmenter import shipped
from services.segmentation.nuclei import find_nuclei
from services.segmentation.scratch import find_scratch
from services.segmentation.segmenter import Found, Image, Segmenter
from services.segmentation.wound import find_wound


def builtin_segmenters() -> dict[str, Segmenter]:
    """The segmenters that come with the package, by name."""
    learned = shipped("nuclei")
    segmenters = (
        Segmenter(
            "cells",
            2,
            ("cells",),
            "Whole cells in phase contrast, by texture and a watershed of brightness; a first attempt.",
            _by_pixels(lambda image: Segmentation(cells=find_cells(image))),
        ),
        Segmenter(
            "nuclei",
            learned.description.version,
            ("nuclei",),
            learned.description.description,
            _by_pixels(lambda image: Segmentation(nuclei=learned.find(image))),
        ),
        Segmenter(
            "nuclei-threshold",
            2,
            ("nuclei",),
            "Bright nuclei on a dark ground (fluorescence), by threshold and distance watershed; no network.",
            _by_pixels(lambda image: Segmentation(nuclei=find_nuclei(image))),
        ),
        Segmenter(
            "scratch",
            4,
            ("cells", "wound"),
            "Cells and wound of a scratch assay in phase contrast; cells within the wound are cut out of it.",
            _by_pixels(find_scratch),
        ),
        Segmenter(
            "wound",
            2,
            ("wound",),
            "The cell-free zone that spans a scratch assay, by texture.",
            _by_pixels(lambda image: Segmentation(wound=find_wound(image))),
        ),
    )
    return {segmenter.name: segmenter for segmenter in segmenters}


def _by_pixels(find: Callable[[Image], Segmentation]) -> Callable[[Image, float | None], Found]:
    """A method that goes by the pixels alone."""
    return lambda image, _diameter: Found(find(image))
