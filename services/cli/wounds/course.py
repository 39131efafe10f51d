"""The course of one series: what each frame shows, and how fast its wound closes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.cli.wounds.frames import Frame, Series
from services.segmentation.band import Band
from services.segmentation.closure import Estimate, closure_percent, early_phase, half_closing_hours, slope
from services.segmentation.wound_geometry import Extent

OPEN, CLOSED, NO_WOUND, FAILED = "open", "closed", "no wound", "failed"


@dataclass(frozen=True)
class Row:
    """One frame. state: OPEN, CLOSED (later than a frame with a wound), NO_WOUND (in the first frame, so in none), or
    FAILED (`error` says why). extent: None where the wound is measured by area alone."""

    frame: Frame
    hours: float
    state: str
    area_px: int | None = None
    extent: Extent | None = None
    error: str = ""


@dataclass(frozen=True)
class Course:
    """All frames of a series. band: how the wound lies in the first; None: no wound, or one of any shape. pixel_um: the
    side of a pixel, None where it is not known."""

    series: Series
    rows: tuple[Row, ...]
    band: Band | None
    pixel_um: float | None = None
    group: str = ""

    @property
    def state(self) -> str:
        """That of the last frame that could be looked at."""
        return next((row.state for row in reversed(self.rows) if row.state != FAILED), FAILED)

    @cached_property
    def known(self) -> tuple[Row, ...]:
        """The frames in which the wound was measured, closed ones included."""
        return tuple(row for row in self.rows if row.state in (OPEN, CLOSED))

    @cached_property
    def closure(self) -> dict[float, float]:
        """Percent closed, by hours."""
        if not self.known:
            return {}
        closed = closure_percent([row.area_px or 0 for row in self.known])
        return dict(zip((row.hours for row in self.known), closed.tolist(), strict=True))

    @property
    def early(self) -> tuple[Row, ...]:
        """The frames of the early phase, through which the straight line goes."""
        return self.known[: early_phase(np.array([*self.closure.values()]))] if self.known else ()

    @cached_property
    def rate(self) -> Estimate | None:
        """Percent of the first area that close an hour; None of fewer than two frames."""
        return slope(np.array([row.hours for row in self.early]), np.array([self.closure[r.hours] for r in self.early]))

    @cached_property
    def narrowing(self) -> Estimate | None:
        """Pixels of mean width that close an hour; twice the speed of a front."""
        widths = [-row.extent.mean_width_px for row in self.early if row.extent is not None]
        return slope(np.array([row.hours for row in self.early]), np.array(widths)) if widths else None

    @cached_property
    def half_hours(self) -> float | None:
        """When half of the wound was closed; None where it never was."""
        return half_closing_hours(np.array([*self.closure]), np.array([*self.closure.values()]))

    @property
    def closed_hours(self) -> float | None:
        """The time of the first frame from which on all are closed; None where the last one is not."""
        last = next((number for number, row in enumerate(reversed(self.known)) if row.state != CLOSED), 0)
        return self.known[-last].hours if last else None
