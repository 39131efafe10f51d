"""The rows of a benchmark, as a table for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HEADER = ("name", "ours", "baseline", "ratio", "target", "met?", "identical")


def is_met(row: Mapping[str, Any]) -> bool:
    """Whether the row's ratio reaches its target; a row without a target has none to miss."""
    return row["target"] is None or bool(row["ratio"] >= row["target"])


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Aligned columns, names to the left, figures to the right; how each was measured stands below."""
    cells = [HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADER))]
    notes = [f"{row['name']}: {row['note']}" for row in rows if row.get("note")]
    return "\n".join([*(_line(line, widths) for line in cells), *notes])


def told(row: Mapping[str, Any]) -> str:
    """A figure's name and value in a line, with its target where it was judged."""
    verdict = "" if row["met"] is None else f" (target {row['target']}: {'met' if row['met'] else 'MISSED'})"
    return f"{row['name']}: {row['value']}{verdict}"


def counts(words: Iterable[str]) -> str:
    """How often each word comes, most often first: 8 OK, 2 UNAVAILABLE."""
    return ", ".join(f"{count} {word}" for word, count in Counter(words).most_common())


def seconds(value: float) -> str:
    """Three digits in the unit that suits: 812 us, 24.9 ms, 3.1 s, 4.4 min."""
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms"), (120.0, 1.0, "s")):
        if value < limit:
            return f"{value * factor:.3g} {unit}"
    return f"{value / 60:.3g} min"


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    target = "-" if row["target"] is None else f">= {row['target']:,.0f}x"
    met = "-" if row["target"] is None else _yes(is_met(row))
    baseline = ("~" if row.get("extrapolated") else "") + seconds(row["baseline_s"])
    times = (seconds(row["ours_s"]), baseline, f"{row['ratio']:,.0f}x")
    return (row["name"], *times, target, met, _yes(row["identical"]))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((first, *rest))


def _yes(value: bool) -> str:
    return "yes" if value else "NO"
