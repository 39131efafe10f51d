"""`biosynth check-tool`: segmenters against known truth, under conditions that get worse."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from services.cli.console import Console
from services.cli.degraded_folders import masks_tool, write_images
from services.cli.files import check_folder
from services.cli.folders import list_images, open_labelled
from services.cli.images.wish import add_wish, wish_of
from services.cli.notes import Notes
from services.cli.numbers import SEED
from services.cli.versions import versions
from services.common.errors import InvalidArgument, UnknownName
from services.common.whole_files import write_file
from services.evaluation.pictures import PictureSet
from services.evaluation.toolcheck.conditions import CONDITIONS, UNDEGRADED, Level
from services.evaluation.toolcheck.tools import Tool, segmenter_tool
from services.segmentation.builtin import builtin_segmenters

HELP = "score segmenters against known truth under noise, blur and less light, with curves"
DESCRIPTION = """\
Takes images whose truth is known (generated ones with their labels, or annotated real ones), makes them worse step by
step, and scores what tools find in them against --labels. Writes into --out:

  report.html      which tool holds up and where each breaks, then curves, tables and pictures; one file
  toolcheck.json   all figures with intervals (docs/evaluation.md)
  toolcheck.csv    a row for each tool, condition, level and field

Tools are built-in segmenters (--segmenter) and masks that any other program made (--masks), both repeatable:

  biosynth check-tool IMAGES --labels DIR --segmenter nuclei --out report

To check a program of your own, write the degraded images, run it on every folder of them, and score its masks, saved
in the same folders under the same names:

  biosynth check-tool IMAGES --labels DIR --write-images worse   # worse/undegraded/NAME.png, worse/noise-0.1/NAME.png
  your-program ...                                               # masks/undegraded/NAME.png, masks/noise-0.1/NAME.png
  biosynth check-tool IMAGES --labels DIR --masks masks --segmenter nuclei --out report

A --masks folder without such folders holds masks of the undegraded images. LEVELS are as 0.1,0.4 or none."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("images", type=Path, metavar="IMAGES", help="folder of images whose truth is known")
    parser.add_argument(
        "--labels", type=Path, required=True, metavar="DIR", help="the truth: masks by name (docs/masks.md)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--segmenter", action="append", default=[], metavar="NAME", help="check a built-in segmenter; repeatable"
    )
    parser.add_argument(
        "--masks", type=Path, action="append", default=[], metavar="DIR", help="check masks of another tool; repeatable"
    )
    parser.add_argument("--write-images", type=Path, metavar="DIR", help="only write the images at all levels")
    parser.add_argument("--part", choices=("cells", "nuclei"), default="nuclei", help="what to find (default nuclei)")
    add_wish(parser.add_argument_group("which plane of images; --time also of --labels that are stacks"))
    for condition in CONDITIONS.values():
        levels = ",".join(f"{level:g}" for level in condition.defaults)
        parser.add_argument(
            f"--{condition.name}", type=_levels(condition.name), default=_levels(condition.name)(levels),
            metavar="LEVELS", help=f"{condition.unit} (default {levels})",
        )  # fmt: skip
    parser.add_argument("--seed", type=SEED, default=0, metavar="N", help="of noise and resampling (default 0)")


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command. Raises InvalidArgument for options that do not go together, and for what does not fit."""
    notes = Notes()
    images = open_labelled(arguments.images, arguments.labels, arguments.part, wish_of(arguments), notes)
    levels = [UNDEGRADED, *(level for name in CONDITIONS for level in getattr(arguments, name))]
    if arguments.write_images is None:
        _score(images, _tools(arguments, images.names, levels, notes), arguments, console)
    elif arguments.out or arguments.segmenter or arguments.masks:
        raise InvalidArgument("expected --write-images alone; score with --segmenter or --masks in a second call")
    else:
        _write(images, levels, arguments, console)
    notes.tell(console)


def _write(images: PictureSet, levels: Sequence[Level], arguments: argparse.Namespace, console: Console) -> None:
    out: Path = arguments.write_images
    with console.progress(total=len(images.names) * len(levels), unit="image") as bar:
        inputs = list_images(arguments.images)
        write_images(images, arguments.part, levels, arguments.seed, out, inputs, lambda: bar.update(1))
    console.say(f"wrote {len(images.names)} images at {len(levels)} levels to {out}; run your tool on each folder")
    console.answer({"folder": str(out), "levels": [level.folder for level in levels]})


def _score(images: PictureSet, tools: Sequence[Tool], arguments: argparse.Namespace, console: Console) -> None:
    # Here, not above: matplotlib takes a second, and every command of the CLI imports this module.
    from services.evaluation.toolcheck.check import check_tools

    out = check_folder(arguments.out)
    total = len(images.names) * sum(len(tool.levels) for tool in tools)
    with console.progress(total=total, unit="image") as bar:
        made = check_tools(
            images, arguments.part, tools, seed=arguments.seed, versions=versions(), progress=lambda _: bar.update(1)
        )
    files = {"toolcheck.csv": made.csv, "report.html": made.html, "toolcheck.json": made.json}
    for name, data in files.items():
        write_file(out / name, data)
    for words in (*made.leaders, *(f"{tool}: {words}" for tool, some in made.verdicts.items() for words in some)):
        console.say(words)
    console.say(f"wrote {', '.join(files)} to {out}; open report.html")
    console.answer({"folder": str(out), "toolcheck": json.loads(made.json)})


def _tools(arguments: argparse.Namespace, names: Sequence[str], levels: Sequence[Level], notes: Notes) -> list[Tool]:
    if not arguments.segmenter and not arguments.masks:
        raise InvalidArgument("expected a tool to check: --segmenter NAME or --masks DIR; or --write-images DIR")
    if arguments.out is None:
        raise InvalidArgument("expected --out DIR, the folder for the results")
    known = builtin_segmenters()
    for name in arguments.segmenter:
        if name not in known:
            raise UnknownName(f"expected a segmenter among {', '.join(known)}; got {name[:100]!r}")
    segmenters = [segmenter_tool(known[name], arguments.part, levels) for name in arguments.segmenter]
    return segmenters + [masks_tool(folder, arguments.part, names, levels, notes) for folder in arguments.masks]


def _levels(name: str) -> Callable[[str], list[Level]]:
    """Return an argparse type for levels of a condition, mildest first."""

    def parse(text: str) -> list[Level]:
        most = CONDITIONS[name].most
        try:
            values = sorted({float(f"{float(part):g}") for part in text.split(",")}) if text != "none" else []
        except ValueError:
            values = [0.0]
        if not all(0 < value <= most for value in values):
            raise argparse.ArgumentTypeError(f"expected numbers above 0, to {most:g}, or none; got {text!r}")
        return [Level(name, value) for value in values]

    return parse
