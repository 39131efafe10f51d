"""What was measured of images, as CSV and as text for a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from services.training.datasets.quality.limits import Quality

COLUMNS = ("image", "focus", "contrast", "saturation", "density", "objects", "like", "correlation", "taken", "reasons")


def csv_of(found: Sequence[Quality]) -> bytes:
    """A row an image, with a header; figures that there are not are empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_rows(found))
    return file.getvalue().encode()


def text_of(found: Sequence[Quality]) -> str:
    """The same in aligned columns, without `like` and `correlation`: a duplicate is among the reasons."""
    kept = [index for index, name in enumerate(COLUMNS) if name not in ("like", "correlation")]
    rows = [[row[index] for index in kept] for row in (COLUMNS, *_rows(found))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(kept))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _rows(found: Sequence[Quality]) -> Iterator[tuple[str, ...]]:
    for one in found:
        measured = one.figures
        yield (
            one.name,
            "" if measured.focus is None else f"{measured.focus:.2f}",
            f"{measured.contrast:.1f}",
            f"{measured.saturation:.4f}",
            f"{measured.density:.4f}",
            "" if measured.objects is None else str(measured.objects),
            one.like,
            f"{one.correlation:.4f}" if one.like else "",
            "no" if one.reasons else "yes",
            "; ".join(one.reasons),
        )
