"""`biosynth quality`: which images of a folder are fit to train on."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from services.cli.console import Console
from services.cli.files import check_folder, refuse_overwriting
from services.cli.folders import list_images, open_images, open_labelled
from services.cli.images.wish import add_wish, wish_of
from services.cli.notes import Notes
from services.cli.quality_limits import DEFAULTS, add_limits, limits_of
from services.common.whole_files import write_file
from services.training.datasets.quality.limits import judged
from services.training.datasets.quality.table import csv_of, text_of

HELP = "measure images' focus, contrast, saturation, density and duplicates before training"
DESCRIPTION = f"""\
Prints a row an image, and which ones `biosynth dataset` and `biosynth train` would leave out, and why:

  focus        fine detail over coarse detail; blur takes the fine
  contrast     range of grey values, in units of the image's noise
  saturation   share of pixels at full scale
  density      share of pixels in objects (--labels), else of blocks of 16 px that show structure
  duplicates   correlation with an earlier image, both reduced to 64 x 64 px

Limits: {DEFAULTS};
`sparse` and `dense` are of the density.

  biosynth quality IMAGES --labels MASKS --out quality.csv"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="images")
    parser.add_argument("--labels", type=Path, metavar="DIR", help="masks of the images, by name (docs/masks.md)")
    parser.add_argument(
        "--part", choices=("cells", "nuclei"), default="nuclei", help="what masks in --labels show (default nuclei)"
    )
    add_wish(parser.add_argument_group("which plane of images; --time also of --labels that are stacks"))
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table as CSV, with what images are like")
    add_limits(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command. Raises as reading images and masks does, naming the file."""
    limits, notes = limits_of(arguments), Notes()
    if arguments.out:
        refuse_overwriting(list_images(arguments.folder), [arguments.out])
    if arguments.labels:
        images = open_labelled(arguments.folder, arguments.labels, arguments.part, wish_of(arguments), notes)
    else:
        images = open_images(arguments.folder, wish_of(arguments), notes)
    found = []
    with console.progress(total=len(images.names), unit="image") as bar:
        for one in judged(images.pictures, limits):
            found.append(one)
            bar.update(1)
    notes.tell(console)
    if arguments.out:
        check_folder(arguments.out.parent)
        write_file(arguments.out, csv_of(found))
    left = sum(bool(one.reasons) for one in found)
    console.answer({"images": [asdict(one) for one in found], "left": left, "limits": asdict(limits)}, text_of(found))
    console.say(
        f"{len(found) - left} of {len(found)} images are fit to train on"
        + (f"; table in {arguments.out}" if arguments.out else "")
    )
