"""Images with known truth, and tools whose faults are known, for the tests of the tool check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from services.common.imaging.images import Image
from services.common.imaging.labels import Labels
from services.evaluation.pictures import Picture, PictureSet
from services.evaluation.toolcheck.conditions import UNDEGRADED, Level
from services.evaluation.toolcheck.tools import Tool, segmenter_tool
from services.segmentation.builtin import builtin_segmenters
from tests.unit.evaluation.synthetic_fields import make_fields

LEVELS = (UNDEGRADED, Level("noise", 0.2), Level("noise", 1.0), Level("blur", 3.0))


def images(count: int = 3, side: int = 96) -> PictureSet:
    """Bright disks on a dark ground, 8 bit."""
    pictures = [
        Picture(f"field_{field.name}", np.rint(field.image * 255).astype(np.uint8), field.labels)
        for field in make_fields(count, side=side, objects=8)
    ]
    return PictureSet("disks", tuple(picture.name for picture in pictures), pictures)


def nuclei(levels: Sequence[Level] = LEVELS) -> Tool:
    """The classical one: what it does to these images is known."""
    return segmenter_tool(replace(builtin_segmenters()["nuclei-threshold"], name="nuclei"), "nuclei", levels)


def oracle(
    of: PictureSet, name: str = "oracle", levels: Sequence[Level] = LEVELS, *, lost: Sequence[Level] = ()
) -> Tool:
    """A tool that is right, but finds nothing at the levels where it is lost."""
    true = {picture.name: cast(Labels, picture.labels.nuclei) for picture in of.pictures if picture.labels}

    def find(field: str, level: Level, _image: Image) -> Labels:
        return np.zeros_like(true[field]) if level in lost else true[field]

    return Tool(name, "masks", None, levels, find)
