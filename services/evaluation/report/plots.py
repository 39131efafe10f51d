"""The plots of a report: SVG as data URIs, text as outlines, the same bytes for the same numbers."""

from __future__ import annotations

import base64
import io
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

_INK, _SOFT, _BAND, _GRID = "#222222", "#5f6770", "#d3d9df", "#e1e5e9"
_MARGIN, _LONGEST = 1.42, 17  # inches at the left, and the characters that fit in
_SETTINGS = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "svg.fonttype": "path",
    "svg.hashsalt": "biosynth",
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 6),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": "#8a929a",
    "axes.labelcolor": _INK,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _SOFT,
    "xtick.labelcolor": _INK,
    "ytick.color": _SOFT,
    "ytick.labelcolor": _INK,
}
_LOCK = threading.Lock()  # matplotlib's settings belong to the process


@dataclass(frozen=True)
class Look:
    """How a candidate is drawn: colour (Okabe & Ito 2008), marker and line all differ; glyph: the marker in text."""

    colour: str
    marker: str
    glyph: str
    line: str | tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class Row:
    """A candidate in a plot: its look, its name, its numbers."""

    look: Look
    name: str
    values: Sequence[float]


def look(index: int) -> Look:
    """Return the look of candidate `index`; no two of the first 210 are the same."""
    colours = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
    markers = (("o", "●"), ("s", "■"), ("^", "▲"), ("D", "◆"), ("v", "▼"))
    lines = ("-", "--", "-.", ":", (0, (7, 2)), (0, (4, 1, 1, 1, 1, 1)), (0, (1, 3)))
    marker, glyph = markers[index % len(markers)]
    return Look(colours[index % len(colours)], marker, glyph, lines[index % len(lines)])


def position_plot(rows: Sequence[Row], ceiling: Sequence[float] | None, floors: Mapping[str, float]) -> str:
    """Draw values and intervals between ceiling and floors, one a line; a log axis where they span over two decades.

    rows: values are (value,) or (value, low, high). ceiling: value, low, high, a band over all lines; floors: by name.
    """
    labels = [*(["real against real"] if ceiling else []), *(row.name for row in rows), *floors]
    with figure(0.23 * len(labels) + 0.06) as (axes, finish):
        if ceiling:
            axes.axvspan(ceiling[1], ceiling[2], color=_BAND, linewidth=0)
            axes.axvline(ceiling[0], color=_SOFT, linewidth=0.8)
            _dot(axes, 0, ceiling, _INK, "|")
        for line, row in enumerate(rows, start=1 if ceiling else 0):
            _dot(axes, line, row.values, row.look.colour, row.look.marker)
        for line, value in enumerate(floors.values(), start=len(labels) - len(floors)):
            _dot(axes, line, (value,), _SOFT, "x")
        _label(axes, labels, 0.6, 0.6)
        _scale(axes, [*(ceiling or ()), *floors.values(), *(value for row in rows for value in row.values)])
        return finish()


def pairs_plot(rows: Sequence[Row]) -> str:
    """Draw, for each candidate, the histogram of its values over their box plot: one scale, one set of bins."""
    most = max(len(row.values) for row in rows)
    everything = np.concatenate([np.asarray(row.values, dtype=np.float64) for row in rows])
    bins = np.histogram_bin_edges(everything, int(np.ceil(2 * most ** (1 / 3))))  # Rice's rule
    counts = [np.histogram(row.values, bins)[0] for row in rows]
    scale = 0.46 / max(int(count.max()) for count in counts)
    with figure(0.66 * len(rows)) as (axes, finish):
        for line, (row, count) in enumerate(zip(rows, counts, strict=True)):
            heights, top = line - scale * count, int(count.argmax())
            axes.stairs(heights, bins, baseline=line, fill=True, color=row.look.colour, alpha=0.35)
            axes.stairs(heights, bins, baseline=line, color=row.look.colour, linewidth=0.9)
            place = ((bins[top] + bins[top + 1]) / 2, heights[top] - 0.03)
            axes.text(*place, str(count[top]), ha="center", va="bottom", fontsize=7, color=_SOFT)
            _box(axes, line + 0.16, row)
        _label(axes, [row.name for row in rows], 0.68, 0.36)
        return finish()


def spectra_plot(cycles: Sequence[float], real: Sequence[float], rows: Sequence[Row], difference: bool = False) -> str:
    """Draw spectra (log10 power) over cycles, DC left out; or, with `difference`, how they differ from the real one."""
    kept = np.asarray(cycles) > 0
    x, base = np.asarray(cycles)[kept], np.asarray(real)[kept]
    zero = base if difference else np.zeros_like(base)
    with figure(2.5, width=4.6, left=0.66, below=0.52) as (axes, finish):
        axes.semilogx(x, base - zero, color=_INK, linewidth=2)
        for row in rows:
            style = {"color": row.look.colour, "linestyle": row.look.line, "marker": row.look.marker}
            axes.semilogx(x, np.asarray(row.values)[kept] - zero, **style, linewidth=1.3, markersize=4, markevery=0.16)
        axes.set_xlabel("cycles per window")
        axes.set_ylabel("log10 power, less that of real" if difference else "log10 power")
        axes.grid()
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(_plain))
        return finish()


@contextmanager
def figure(
    height: float, width: float = 4.0, left: float = _MARGIN, below: float = 0.36
) -> Iterator[tuple[Axes, Callable[[], str]]]:
    """Give axes of a height, all in inches, and the function that returns the figure as a data URI."""
    with drawing(height, width, left, below) as (axes, drawn):
        yield axes, lambda: _uri(drawn)


@contextmanager
def drawing(height: float, width: float, left: float, below: float) -> Iterator[tuple[Axes, Figure]]:
    """Give axes of a height and their figure, all in inches, in the style of reports."""
    # matplotlib's own defaults first, so that no file of the machine's has a say.
    defaults = {name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith("backend")}
    with _LOCK, matplotlib.rc_context(defaults | _SETTINGS):
        total = height + below + 0.06
        drawn = Figure(figsize=(width, total))
        box = (left / width, below / total, 1 - (left + 0.12) / width, height / total)
        yield drawn.add_axes(box), drawn


def _uri(drawn: Figure) -> str:
    file, none = io.BytesIO(), dict.fromkeys(("Date", "Creator", "Format", "Type"))
    drawn.savefig(file, format="svg", transparent=True, metadata=none)
    text = file.getvalue().decode("utf-8")
    lean = re.sub(r"<!--.*?-->|\n\s*", " ", text[text.index("<svg") :], flags=re.DOTALL)
    return "data:image/svg+xml;base64," + base64.b64encode(re.sub("> +<", "><", lean).encode("utf-8")).decode("ascii")


def _dot(axes: Axes, line: int, values: Sequence[float], colour: str, marker: str) -> None:
    if len(values) == 3:
        axes.plot(values[1:], (line, line), color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.plot(values[0], line, marker, color=colour, markersize=6.5, markeredgewidth=1.4 if marker in "|x" else 0)


def _box(axes: Axes, line: float, row: Row) -> None:
    ink = {"color": row.look.colour, "linewidth": 1.1}
    mean = {"marker": row.look.marker, "markerfacecolor": _INK, "markeredgewidth": 0, "markersize": 4}
    far = {"marker": row.look.marker, "markeredgecolor": row.look.colour, "markersize": 3, "markeredgewidth": 0.8}
    middle = ink | {"linewidth": 2}
    axes.boxplot(
        [row.values], positions=[line], widths=0.18, orientation="horizontal", manage_ticks=False, showmeans=True,
        boxprops=ink, whiskerprops=ink, capprops=ink, medianprops=middle, meanprops=mean, flierprops=far,
    )  # fmt: skip


def _label(axes: Axes, labels: Sequence[str], above: float, below: float) -> None:
    """Name the lines of a plot, the first on top; a name is text, never mathematics."""
    axes.set_yticks(range(len(labels)), [_short(label) for label in labels], parse_math=False, fontsize=8.5)
    axes.set_ylim(len(labels) - 1 + below, -above)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 2.5, 5, 10), min_n_ticks=3))
    axes.grid(axis="x")


def _scale(axes: Axes, values: Sequence[float]) -> None:
    if min(values) > 0 and max(values) > 100 * min(values):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
        axes.xaxis.set_major_formatter(FuncFormatter(_plain))


def _plain(value: float, _: int | None = None) -> str:
    return f"{value:g}"


def _short(text: str) -> str:
    """Cut the middle out of a long name; a box stands for a character that the font lacks."""
    font, half = get_font(findfont("DejaVu Sans")), _LONGEST // 2
    shown = "".join(letter if letter.isprintable() and font.get_char_index(ord(letter)) else "□" for letter in text)
    return shown if len(shown) <= _LONGEST else f"{shown[:half]}…{shown[-half:]}"
