"""`biosynth wound`: how wounds of scratch assays close over time."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.cli.console import Console
from services.cli.files import check_folder
from services.cli.images.wish import add_wish, wish_of
from services.cli.notes import Notes
from services.cli.seeking import micrometres
from services.cli.session import Session, add_endpoint, open_session
from services.cli.wounds.course import Course, Row
from services.cli.wounds.film import Film
from services.cli.wounds.following import ANY_SHAPE, SCRATCH, Follower
from services.cli.wounds.frames import Series, list_series
from services.cli.wounds.grouping import group_means
from services.cli.wounds.groups import read_groups
from services.cli.wounds.intervals import hours
from services.cli.wounds.plot import closure_plot
from services.cli.wounds.tables import as_csv, frame_lines, group_lines, series_lines
from services.cli.wounds.words import gap, summary
from services.common.errors import ConfigError, InvalidArgument, InvalidImage
from services.common.imaging.images import Image
from services.common.imaging.labels import Mask
from services.common.whole_files import write_file

HELP = "measure how wounds of scratch assays close over time"
DESCRIPTION = """\
Takes folders of numbered frames (t0.tif, t1.tif ... t10.tif; B5_t000.png; a folder may hold several series) and
stacks of times, and writes into --out:

  frames.csv    a line a frame: area, closure, widths, fronts and their roughness
  series.csv    a line a series: closure rate with its 95 % interval, half-closing time, what is missing
  groups.csv    with --table: means over the series of each group, with 95 % intervals
  closure.png   closure over time, with the straight lines that give the rates
  SERIES.gif    the frames with the wound's outline

A wound is one band without cells from one side of the first frame to the opposite one; later frames show what is still
open of it. docs/wound.md has the columns, the model and the limits.

  biosynth wound frames --interval 30min --pixel-size 0.65 --out healing
  biosynth wound plate/* --interval 1h --table wells.csv --group treatment --out healing"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "sources", type=Path, nargs="+", metavar="FOLDER|STACK", help="frames of one or more series, in any number"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--interval", type=hours, required=True, metavar="TIME", help="from frame to frame: 90s, 30min, 2h or 1d"
    )
    parser.add_argument(
        "--pixel-size",
        type=micrometres,
        metavar="UM",
        help="side of a pixel in um; default: as the first frame's file says",
    )
    add_wish(parser.add_argument_group("which plane of frames"), has_time=False)
    parser.add_argument(
        "--table", type=Path, metavar="CSV", help="groups: a column `series` with the names of series, and others"
    )
    parser.add_argument("--group", default="", metavar="COLUMN", help="the column of --table that says the group")
    parser.add_argument(
        "--any-shape", action="store_true", help="the wound is all ground without cells: area and closure alone"
    )
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command. Raises InvalidImage where a frame failed; what could be measured is written before."""
    if bool(arguments.table) != bool(arguments.group):
        raise ConfigError("expected --table and --group together; got one of them")
    if arguments.out.resolve() in [source.resolve() for source in arguments.sources]:
        raise InvalidArgument(f"expected --out beside the frames; {arguments.out} holds them; choose another folder")
    series = list_series(arguments.sources, arguments.interval, wish_of(arguments))
    groups = read_groups(arguments.table, arguments.group, [one.name for one in series]) if arguments.table else {}
    for one in series:
        if one.missing:
            console.warn(gap(one))
    out = check_folder(arguments.out)
    with open_session(os.environ, arguments.endpoint) as session:
        courses = [
            replace(course, group=groups.get(course.series.name, ""))
            for course in _followed(series, arguments, session, out, console)
        ]
    for course in courses:
        console.say(summary(course))
    console.answer(_write(courses, bool(groups), out))
    total = sum(len(one.frames) for one in series)
    if failed := [f"{row.frame.name}: {row.error}" for course in courses for row in course.rows if row.error]:
        raise InvalidImage(
            f"{len(failed)} of {total} frames failed; the others are measured, in {out}\n" + "\n".join(failed)
        )


def _followed(
    series: Sequence[Series], arguments: argparse.Namespace, session: Session, out: Path, console: Console
) -> list[Course]:
    segmenter, notes = ANY_SHAPE if arguments.any_shape else SCRATCH, Notes()
    follower = Follower(session, segmenter, arguments.pixel_size, notes)
    courses = []
    with console.progress(total=sum(len(one.frames) for one in series), unit="frame") as bar:
        for one in series:
            bar.set_description(one.name)
            course, film = _filmed(follower, one, bar)
            courses.append(course)
            if gif := film.encode():
                path = out / f"{one.name}.gif"
                check_folder(path.parent)  # of several folders, series have their folder's name in front
                write_file(path, gif)
    notes.tell(console)
    return courses


def _filmed(follower: Follower, series: Series, bar: Any) -> tuple[Course, Film]:
    film = Film()

    def shown(row: Row, image: Image, wound: Mask) -> None:
        film.add(row, image, wound)
        bar.update()

    return follower.follow(series, shown), film


def _write(courses: Sequence[Course], grouped: bool, out: Path) -> dict[str, Any]:
    frames, lines = [*frame_lines(courses)], [*series_lines(courses)]
    means = group_means(courses) if grouped else []
    files = {
        "frames.csv": as_csv(frames),
        "series.csv": as_csv(lines),
        "closure.png": closure_plot(courses, means),
        **({"groups.csv": as_csv([*group_lines(means)])} if means else {}),
    }
    for name, data in files.items():
        write_file(out / name, data)
    return {"folder": str(out), "series": lines, "frames": frames, "groups": [*group_lines(means)]}
