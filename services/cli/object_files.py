"""What is written of the objects of a segmentation: their table, a picture and their outlines."""

from __future__ import annotations

import numpy as np
from biosynth.objects import ObjectTable
from numpy.typing import NDArray

from services.cli.geojson import geojson
from services.cli.objects_picture import objects_picture
from services.cli.rois import roi_zip
from services.common.imaging.images import encode_png
from services.common.imaging.labels import Segmentation

NAMES = ("objects.csv", "objects.png", "objects.geojson", "objects.rois.zip")
_WORDS = (
    "a line for each cell and nucleus: shape and grey values under scikit-image's names",
    "the same as a picture: outlines from red (unsure) to green, dashed at the image's border",
    "the same with outlines, and the wound's, for QuPath",
    "outlines of cells and nuclei for ImageJ's ROI Manager",
)


def listed(prefix: str, width: int) -> str:
    """The files as a command's help lists them, words beginning in column `width`."""
    names = (f"{prefix}{name}" for name in NAMES)
    return "\n".join(f"  {name.ljust(width - 2)}{words}" for name, words in zip(names, _WORDS, strict=True))


def object_files(image: NDArray[np.uint8], segmentation: Segmentation, table: bytes) -> dict[str, bytes]:
    """The files by name. image: (H, W), the one that was segmented. table: the CSV of a SegmentResponse."""
    objects = ObjectTable.of(table)
    picture = encode_png(objects_picture(image, segmentation, objects))
    files = (table, picture, geojson(segmentation, objects), roi_zip(segmentation))
    return dict(zip(NAMES, files, strict=True))
