"""Outlines of cells and nuclei for ImageJ's ROI Manager: a zip of ROIs."""

from __future__ import annotations

from collections.abc import Iterator

from roifile import ROI_TYPE, ImagejRoi

from services.common.imaging.labels import Segmentation
from services.common.packing import pack_zip
from services.segmentation.contours import pieces_of


def roi_zip(segmentation: Segmentation) -> bytes:
    """A traced ROI for each piece of each cell and nucleus, named PART-LABEL, along pixels' edges as ImageJ's wand.

    Holes are filled, for one ROI has none. The wound, which is mostly holes between cells, is left out.
    """
    return pack_zip(_rois(segmentation))


def _rois(segmentation: Segmentation) -> Iterator[tuple[str, bytes]]:
    for part in ("cells", "nuclei"):
        labels, pieces_so_far = getattr(segmentation, part), dict[int, int]()
        for piece in () if labels is None else pieces_of(labels):
            number = pieces_so_far[piece.label] = pieces_so_far.get(piece.label, 0) + 1
            name = f"{part}-{piece.label:05d}" + (f"-{number}" if number > 1 else "")
            roi = ImagejRoi.frompoints(piece.outer, name=name)
            roi.roitype = ROI_TYPE.TRACED
            yield f"{name}.roi", roi.tobytes()
