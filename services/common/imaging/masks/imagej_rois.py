"""ImageJ's regions of interest, one .roi or a zip of them, as its ROI Manager saves them."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence

import numpy as np
from roifile import ROI_TYPE, ImagejRoi

from services.common.errors import InvalidSegmentation
from services.common.imaging.formats.damage import damage_named
from services.common.imaging.masks.outlined import Outlined, Ring

ZIP, ROI = b"PK\x03\x04", b"Iout"
_AREAS = (ROI_TYPE.POLYGON, ROI_TYPE.RECT, ROI_TYPE.OVAL, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
_OURS = re.compile(r"(cells|nuclei)-([0-9]{1,9})(?:-[0-9]+)?\.roi")
_MOST_ROIS, _MOST_BYTES = 200_000, 512 * 1024**2


def read_rois(data: bytes, part: str, frame: int | None = None) -> tuple[list[Outlined], tuple[str, ...]]:
    """The objects of a .roi or a zip of them, in the file's order, and notes on what was left out.

    part: of ROIs named PART-LABEL, as biosynth writes them, those of this part are taken, and keep their labels;
    several are pieces of one object. frame: those of this position of a stack, from 0, and those of none. Raises
    InvalidSegmentation for anything else, and for regions of several positions where none is chosen.
    """
    with damage_named(_damaged):
        named = _of_part([(name, ImagejRoi.frombytes(one)) for name, one in _files(data)], part)
        chosen = _at(named, frame)
        areas = [(name, roi) for name, roi in chosen if roi.roitype in _AREAS]
        outlined = [Outlined(name, rings, _number(name)) for name, roi in areas if (rings := _rings(roi))]
    if not outlined:
        raise InvalidSegmentation(f"expected ROIs that enclose an area; got {len(chosen)} of other kinds")
    lost = len(chosen) - len(outlined)
    return outlined, ("ROIs without an area (points, lines): left out",) if lost else ()


def _files(data: bytes) -> Iterator[tuple[str, bytes]]:
    if not data.startswith(ZIP):
        yield "the ROI", data
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if other := [entry.filename for entry in entries if not entry.filename.lower().endswith(".roi")]:
            raise InvalidSegmentation(f"expected a zip of ImageJ ROIs (*.roi); got {other[0]!r:.80} in it; unpack it")
        if len(entries) > _MOST_ROIS or (size := sum(entry.file_size for entry in entries)) > _MOST_BYTES:
            raise InvalidSegmentation(
                f"expected at most {_MOST_ROIS} ROIs of {_MOST_BYTES} bytes in all; got {len(entries)} of {size}"
            )
        for entry in entries:
            yield entry.filename, archive.read(entry)


def _of_part(named: Sequence[tuple[str, ImagejRoi]], part: str) -> Sequence[tuple[str, ImagejRoi]]:
    found = [_OURS.fullmatch(name) for name, _ in named]
    if not named or not all(found):
        return named
    parts = [match[1] for match in found if match]
    if part not in parts:
        raise InvalidSegmentation(f"expected {part} among the ROIs; they are of {', '.join(sorted(set(parts)))}")
    return [one for one, known in zip(named, parts, strict=True) if known == part]


def _number(name: str) -> int:
    """The label that a ROI is named by; 0 for another name."""
    match = _OURS.fullmatch(name)
    return int(match[2]) if match else 0


def _at(named: Sequence[tuple[str, ImagejRoi]], frame: int | None) -> list[tuple[str, ImagejRoi]]:
    """Those of one position; 0 stands for all positions."""
    positions = [roi.t_position or roi.position for _, roi in named]
    several = sorted({position for position in positions if position > 0})
    if frame is None and len(several) > 1:
        raise InvalidSegmentation(
            f"expected ROIs of one frame; got some of frames {several[0] - 1} to {several[-1] - 1}; choose one with "
            "--time"
        )
    if frame is None:
        return list(named)
    found = [one for one, position in zip(named, positions, strict=True) if position in (0, frame + 1)]
    if not found:
        raise InvalidSegmentation(f"expected ROIs of frame {frame}; got none of it")
    return found


def _rings(roi: ImagejRoi) -> list[Ring]:
    rings = [np.asarray(ring, np.float64) for ring in roi.coordinates(multi=True)]
    return [ring for ring in rings if len(ring) >= 3]


def _damaged(error: Exception) -> InvalidSegmentation:
    return InvalidSegmentation(f"expected intact ImageJ ROIs; got a damaged file ({error}); save it again")
