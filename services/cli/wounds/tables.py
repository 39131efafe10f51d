"""The figures of wounds as CSV: a line a frame, a line a series, and the means of groups."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.cli.wounds.course import Course, Row
from services.cli.wounds.grouping import Mean
from services.segmentation.closure import Estimate
from services.segmentation.wound_geometry import Front

Line = Mapping[str, Any]


def frame_lines(courses: Sequence[Course]) -> Iterator[Line]:
    """A line a frame; what is not known, or is in um without a pixel size, is None."""
    for course in courses:
        um = course.pixel_um
        for row in course.rows:
            yield {
                "series": course.series.name,
                "group": course.group,
                "frame": row.frame.name,
                "time_h": row.hours,
                "state": row.state,
                "area_px": row.area_px,
                "area_um2": _times(row.area_px, um and um * um),
                "closure_percent": course.closure.get(row.hours),
                **_widths(row, um),
                **_front("left", row.extent.left if row.extent else None, um),
                **_front("right", row.extent.right if row.extent else None, um),
            }


def series_lines(courses: Sequence[Course]) -> Iterator[Line]:
    """A line a series: from where to where it closed, and how fast."""
    for course in courses:
        known, narrowing, um = course.known, course.narrowing, course.pixel_um
        yield {
            "series": course.series.name,
            "group": course.group,
            "state": course.state,
            "frames": len(course.rows),
            "missing_frames": " ".join(map(str, course.series.missing)),
            "failed_frames": " ".join(row.frame.name for row in course.rows if row.error),
            "first_area_px": known[0].area_px if known else None,
            "first_area_um2": _times(known[0].area_px if known else None, um and um * um),
            "closure_percent": course.closure[known[-1].hours] if known else None,
            "closed_h": course.closed_hours,
            "half_closing_h": course.half_hours,
            "early_frames": len(course.early),
            "early_until_h": course.early[-1].hours if course.early else None,
            **_estimate("rate_percent_per_h", course.rate, 1.0),
            **_estimate("narrowing_px_per_h", narrowing, 1.0),
            **_estimate("narrowing_um_per_h", narrowing, um),
            "lies": None if course.band is None else "across" if course.band.lying else "upright",
            "tilt_degrees": None if course.band is None else course.band.tilt_degrees,
        }


def group_lines(means: Sequence[Mean]) -> Iterator[Line]:
    """A line a mean."""
    for mean in means:
        yield {
            "group": mean.group,
            "quantity": mean.quantity,
            "time_h": mean.hours,
            "series": mean.estimate.n,
            "mean": mean.estimate.value,
            "low": mean.estimate.low,
            "high": mean.estimate.high,
        }


def as_csv(lines: Sequence[Line]) -> bytes:
    """CSV (RFC 4180) in UTF-8; six digits; None is an empty field.

    >>> as_csv([{"series": "B5", "time_h": 0.5, "closed_h": None}])
    b'series,time_h,closed_h\\r\\nB5,0.5,\\r\\n'
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(lines[0]))
    writer.writeheader()
    writer.writerows({name: _shown(value) for name, value in line.items()} for line in lines)
    return text.getvalue().encode()


def _widths(row: Row, um: float | None) -> dict[str, float | None]:
    widths = (row.extent.mean_width_px, row.extent.min_width_px) if row.extent else (None, None)
    return {
        f"{name}_width_{unit}": _times(width, scale)
        for name, width in zip(("mean", "min"), widths, strict=True)
        for unit, scale in (("px", 1.0), ("um", um))
    }


def _front(side: str, front: Front | None, um: float | None) -> dict[str, float | None]:
    figures = (front.position_px, front.roughness_px) if front else (None, None)
    return {
        f"{side}_{name}_{unit}": _times(figure, scale)
        for name, figure in zip(("front", "roughness"), figures, strict=True)
        for unit, scale in (("px", 1.0), ("um", um))
    }


def _estimate(name: str, estimate: Estimate | None, scale: float | None) -> dict[str, float | None]:
    figures = (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)
    return {f"{name}{end}": _times(figure, scale) for end, figure in zip(("", "_low", "_high"), figures, strict=True)}


def _times(value: float | None, scale: float | None) -> float | None:
    return None if value is None or scale is None else value * scale


def _shown(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
