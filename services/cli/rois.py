"""Outlines of cells and nuclei for ImageJ's ROI Manager: a zip of ROIs."""

from __future__ import annotations

import io
import zipfile

from roifile import ROI_TYPE, ImagejRoi

from services.common.imaging.labels import Segmentation
from services.segmentation.contours import pieces_of

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold: equal outlines, equal bytes


def roi_zip(segmentation: Segmentation) -> bytes:
    """A traced ROI for each piece of each cell and nucleus, named PART-LABEL, along pixels' edges as ImageJ's wand.

    Holes are filled, for one ROI has none. The wound, which is mostly holes between cells, is left out.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in ("cells", "nuclei"):
            labels, pieces_so_far = getattr(segmentation, part), dict[int, int]()
            for piece in () if labels is None else pieces_of(labels):
                number = pieces_so_far[piece.label] = pieces_so_far.get(piece.label, 0) + 1
                name = f"{part}-{piece.label:05d}" + (f"-{number}" if number > 1 else "")
                roi = ImagejRoi.frompoints(piece.outer, name=name)
                roi.roitype = ROI_TYPE.TRACED
                archive.writestr(zipfile.ZipInfo(f"{name}.roi", _DATE), roi.tobytes(), zipfile.ZIP_DEFLATED)
    return file.getvalue()
