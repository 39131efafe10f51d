"""Ask the segmentation service for the wound in each frame of a series, and measure it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from biosynth.errors import BiosynthCallError
from biosynth.v1.segmentation_pb2 import SegmentRequest, SegmentResponse

from services.cli.exits import REFUSED, exit_code
from services.cli.naming import naming
from services.cli.notes import Notes
from services.cli.seeking import side_um
from services.cli.session import Session
from services.cli.wounds.course import CLOSED, FAILED, NO_WOUND, OPEN, Course, Row
from services.cli.wounds.frames import Frame, Series
from services.common.errors import BiosynthError
from services.common.imaging.images import Image, encode_png
from services.common.imaging.labels import Mask
from services.common.imaging.ometiff import decode_segmentation
from services.segmentation.band import Band, band_of
from services.segmentation.wound_geometry import measure_extent

SCRATCH, ANY_SHAPE = "wound", "cell-free"  # segmenters
# What is done with a frame that could be looked at: its row, its pixels and its wound, both (H, W).
Shown = Callable[[Row, Image, Mask], None]


@dataclass(frozen=True)
class _Start:
    """The first frame that could be looked at: its file, its pixels' side, whether it has a wound, how that lies."""

    file: bytes
    pixel_um: float | None
    has_wound: bool
    band: Band | None


class Follower:
    """Follows one series after the other.

    segmenter: SCRATCH or ANY_SHAPE. pixel_um: the side of a pixel; None: as the first frame's file says. notes: of how
    files were read.
    """

    def __init__(self, session: Session, segmenter: str, pixel_um: float | None, notes: Notes) -> None:
        self._session, self._segmenter, self._pixel_um = session, segmenter, pixel_um
        self._notes = notes

    def follow(self, series: Series, shown: Shown) -> Course:
        """Look at the frames in turn; one that is refused becomes a row that says why."""
        rows: list[Row] = []
        start: _Start | None = None
        for frame, hours in zip(series.frames, series.hours, strict=True):
            try:
                image, start, wound = self._look(frame, start)
            except (BiosynthError, BiosynthCallError) as error:
                if exit_code(error) != REFUSED:  # the next frame would fare no better
                    raise
                rows.append(Row(frame, hours, FAILED, error=error.message.removeprefix(f"{frame.path.name}: ")))
                continue
            rows.append(_measured(frame, hours, wound, start))
            shown(rows[-1], image, wound)
        return Course(series, tuple(rows), start.band if start else None, start.pixel_um if start else None)

    def _look(self, frame: Frame, start: _Start | None) -> tuple[Image, _Start, Mask]:
        read = frame.read()
        self._notes.add(frame.path.name, read.notes)
        image = read.pixels()
        if start is None:
            with naming(frame.path.name):
                file, pixel_um = encode_png(image), self._pixel_um or side_um(read.pixel_size_um)
            wound = self._wound(file, None)
            band = band_of(wound) if self._segmenter == SCRATCH and wound.any() else None
            return image, _Start(file, pixel_um, bool(wound.any()), band), wound
        if not start.has_wound:
            return image, start, np.zeros(image.shape, np.bool_)
        return image, start, self._wound(encode_png(image), start.file)

    def _wound(self, file: bytes, first: bytes | None) -> Mask:
        request = SegmentRequest(image=self._session.content(file), segmenter=self._segmenter)
        if first is not None:
            request.first_frame.CopyFrom(self._session.content(first))
        response: SegmentResponse = self._session.ask(self._session.client.segmentation.Segment, request)
        return np.asarray(decode_segmentation(response.segmentation.file).wound, np.bool_)


def _measured(frame: Frame, hours: float, wound: Mask, start: _Start) -> Row:
    if not start.has_wound:
        return Row(frame, hours, NO_WOUND)
    extent = measure_extent(wound, start.band) if start.band is not None else None
    return Row(frame, hours, OPEN if wound.any() else CLOSED, int(np.count_nonzero(wound)), extent)
