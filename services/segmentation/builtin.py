"""The segmenters that come with the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.common.imaging.labels import Mask, Segmentation
from services.segmentation.cells import find_cells
from services.segmentation.learned.segmenter import shipped
from services.segmentation.nuclei import find_nuclei
from services.segmentation.scratch import WoundOf, find_scratch, find_scratch_learned, wound_by_cells, wound_by_texture
from services.segmentation.segmenter import Follow, Found, Image, Segmenter
from services.segmentation.wound import find_cell_free, find_wound
from services.segmentation.wound_series import follow_cell_free, follow_wound

_TEXTURE, _THRESHOLD, _WOUND = 2, 2, 3  # versions of the methods that need no network


def builtin_segmenters() -> dict[str, Segmenter]:
    """The segmenters that come with the package, by name."""
    segmenters = (
        _network("cells"),
        _network("nuclei"),
        _scratch(
            "scratch",
            "Cells and wound of a scratch assay in phase contrast; cells within the wound are cut out of it. A trained "
            "network finds the cells, or texture where that is unsure.",
            wound_by_texture,
        ),
        _scratch(
            "scratch-zone",
            "As `scratch`, with the original pipeline's wound: where disks of 60 px fit between cells, grown by 140.",
            wound_by_cells,
        ),
        Segmenter(
            "cells-texture",
            _TEXTURE,
            ("cells",),
            "Whole cells in phase contrast, by texture and a watershed of brightness; no network.",
            _by_pixels(lambda image: Segmentation(cells=find_cells(image).labels)),
        ),
        Segmenter(
            "nuclei-threshold",
            _THRESHOLD,
            ("nuclei",),
            "Bright nuclei on a dark ground (fluorescence), by threshold and distance watershed; no network.",
            _by_pixels(lambda image: Segmentation(nuclei=find_nuclei(image))),
        ),
        Segmenter(
            "scratch-texture",
            _TEXTURE + _WOUND,
            ("cells", "wound"),
            "As `scratch`, all cells by texture; no network.",
            _by_pixels(find_scratch),
        ),
        Segmenter(
            "wound",
            _WOUND,
            ("wound",),
            "The cell-free band of a scratch assay, from side to side between cells, by texture.",
            _by_pixels(lambda image: Segmentation(wound=find_wound(image))),
            follow=_in_series(follow_wound),
        ),
        Segmenter(
            "cell-free",
            _WOUND,
            ("wound",),
            "All ground without cells, whatever its shape, by texture.",
            _by_pixels(lambda image: Segmentation(wound=find_cell_free(image))),
            by_name_only=True,
            follow=_in_series(follow_cell_free),
        ),
    )
    return {segmenter.name: segmenter for segmenter in segmenters}


def _network(name: str) -> Segmenter:
    """A shipped network, which is called like the part that it finds."""
    learned = shipped(name)
    about = learned.description

    def find(image: Image, diameter_px: float | None) -> Found:
        objects = learned.find(image, diameter_px)
        parts: dict[str, Any] = {about.part: objects.labels}
        return Found(Segmentation(**parts), {about.part: objects.confidence}, objects.diameter_px)

    return Segmenter(name, about.version, (about.part,), about.description, find, takes_diameter=True)


def _scratch(name: str, description: str, wound_of: WoundOf) -> Segmenter:
    learned = shipped("cells")
    return Segmenter(
        name,
        learned.description.version + _TEXTURE + _WOUND,  # rises with each of them
        ("cells", "wound"),
        description,
        lambda image, diameter_px: find_scratch_learned(image, learned.find(image, diameter_px), wound_of),
        takes_diameter=True,
    )


def _by_pixels(find: Callable[[Image], Segmentation]) -> Callable[[Image, float | None], Found]:
    """A method that goes by the pixels alone."""
    return lambda image, _diameter: Found(find(image))


def _in_series(follow: Callable[[Image, Image], Mask]) -> Follow:
    """A method that finds the wound of a later frame by the first one."""
    return lambda image, first: Found(Segmentation(wound=follow(image, first)))
