"""One reader for masks of any program, told apart by their first bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from biosynth.contract import JPEG, PARTS, PNG, SCHEMA_KEYWORD, TIFF

from services.common.errors import InvalidSegmentation
from services.common.imaging.formats.limits import ImageLimits
from services.common.imaging.formats.png_text import text_of
from services.common.imaging.formats.tiff import TiffPlanes
from services.common.imaging.images import decode_label_map
from services.common.imaging.labels import Labels, Segmentation
from services.common.imaging.masks.doubts import is_picture
from services.common.imaging.masks.geojson import read_geojson
from services.common.imaging.masks.imagej_rois import ROI, ZIP, read_rois
from services.common.imaging.masks.numbers import separated
from services.common.imaging.masks.numpy_files import NUMPY, decode_numpy
from services.common.imaging.masks.outlined import fill
from services.common.imaging.ometiff import decode_segmentation

KINDS = "label maps (TIFF, PNG, .npy), segmentations (.ome.tif), ImageJ ROIs (.zip, .roi), GeoJSON, Cellpose _seg.npy"
_MOST_FRAMES = 10_000


@dataclass(frozen=True)
class Masks:
    """What a file says of an image; notes: what people are to know of how it was read."""

    segmentation: Segmentation
    notes: tuple[str, ...] = ()

    def labels(self, part: str) -> Labels:
        """One part, (H, W) int32; the wound is 0 and 1. Raises InvalidSegmentation where the file has none."""
        found = getattr(self.segmentation, part)
        if found is None:
            raise InvalidSegmentation(f"expected {part}; the segmentation has {', '.join(self.segmentation.parts)}")
        return np.asarray(found, np.int32)


def read_masks(data: bytes, part: str, shape: tuple[int, int] | None = None, frame: int | None = None) -> Masks:
    """What a file of masks says, whichever program wrote it (docs/masks.md).

    part: what masks without named parts show: `cells`, `nuclei` or `wound`; "": they are refused. shape: (H, W) of the
    image; outlines need it. frame: which plane of a stack, from 0. Raises InvalidImage or InvalidSegmentation, saying
    what came and what to do, also for another size than the image's.
    """
    if is_segmentation(data):
        if frame is not None:
            raise InvalidSegmentation("expected --time for a stack of masks; got a segmentation of one image")
        masks = Masks(decode_segmentation(data))
    elif part:
        labels, notes = _labels(data, part, shape, frame)
        named: dict[str, Any] = {part: labels > 0 if part == "wound" else labels}
        masks = Masks(Segmentation(**named), notes)
    else:
        raise InvalidSegmentation(
            "expected a segmentation, an .ome.tif with named parts; got masks that do not say whether they are cells "
            "or nuclei; make one of both with `biosynth combine`"
        )
    if shape is not None and masks.segmentation.shape != shape:
        (height, width), (rows, columns) = masks.segmentation.shape, shape
        raise InvalidSegmentation(
            f"expected masks of the image's size, {rows} x {columns} px; got {height} x {width}; take those of this "
            "very image, and scale masks by nearest neighbour alone"
        )
    return masks


def is_segmentation(data: bytes) -> bool:
    """Whether planes are named as ours are; other OME-TIFFs are label maps. Raises InvalidImage for a damaged one."""
    if not data.startswith(TIFF):
        return False
    limits = ImageLimits(max_pages=_MOST_FRAMES)
    limits.check_file(data)
    return {plane.name for plane in TiffPlanes(data, limits).planes} <= set(PARTS)


def _labels(data: bytes, part: str, shape: tuple[int, int] | None, frame: int | None) -> tuple[Labels, tuple[str, ...]]:
    if data.startswith((*TIFF, PNG, JPEG)):
        _check_no_reference(data)
        return _numbered(decode_label_map(data, frame), part)
    if data.startswith(NUMPY):
        return _numbered(decode_numpy(data, frame), part)
    if data.startswith((ZIP, ROI)):
        outlined, notes = read_rois(data, part, frame)
    elif data.lstrip()[:1] in (b"{", b"["):
        outlined, notes = read_geojson(data, part)
    else:
        start = f"a file that begins with {data[:8].hex(' ')} (hexadecimal)" if data else "0 bytes"
        raise InvalidSegmentation(f"expected {KINDS}; got {start}")
    if shape is None:
        raise InvalidSegmentation(
            "expected the size of the image, which outlines do not tell; make a label map of them with `biosynth "
            "combine --image IMAGE`"
        )
    labels, lost = fill(outlined, shape)
    return labels, notes + lost


def _check_no_reference(data: bytes) -> None:
    """Raise InvalidSegmentation for what `render` draws: it too is a PNG of whole numbers, few for many objects."""
    if data.startswith(PNG) and (schema := text_of(data, SCHEMA_KEYWORD)):
        raise InvalidSegmentation(
            "expected masks, in which each object has a number of its own; got a reference drawn under "
            f"{schema[:80]!a}, whose values are levels; give the segmentation or the masks that it was drawn of"
        )


def _numbered(labels: Labels, part: str) -> tuple[Labels, tuple[str, ...]]:
    if part == "wound":
        return labels, ()
    if is_picture(labels):
        raise InvalidSegmentation(
            "expected a label map; got a picture, whose values change from pixel to pixel; give masks, not the image"
        )
    labels, note = separated(labels)
    return labels, (note,) if note else ()
