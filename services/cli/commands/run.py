"""`biosynth run`: images through the whole pipeline."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.cli.appearance import add_appearance
from services.cli.batch import for_each, raise_for
from services.cli.console import Console
from services.cli.files import check_folder, refuse_overwriting
from services.cli.image_run import UNTIL, run_image
from services.cli.images.opening import KINDS
from services.cli.images.reading import read_image, read_images
from services.cli.images.wish import ALL, wish_of
from services.cli.model_names import ANY, model_name
from services.cli.numbers import COUNT, SEED, tier_limits
from services.cli.object_files import listed
from services.cli.run_files import FILES
from services.cli.seeking import HELP as SEEKING
from services.cli.seeking import add_seeking
from services.cli.session import Session, add_endpoint, open_session
from services.cli.sources import HELP as SOURCES
from services.cli.sources import are_many, find_images, result_names
from services.cli.summary import FILE as SUMMARY
from services.cli.summary import HELP as SUMMARY_HELP
from services.cli.summary import summary
from services.common.errors import UnsuitableImage
from services.common.whole_files import write_file

HELP = "segment an image, render its reference, generate a new image of it"
DESCRIPTION = f"""\
Takes a microscopy image the whole way and writes into --out:

  segmentation.ome.tif   label maps, one named channel each (OME-TIFF, for napari and Fiji)
{listed("", 25)}
  reference.png          level indices; reference_grey.png shows them
  generated.png          a new image with that reference as its truth, which imitates the look of yours
  look.json              that look, for `biosynth generate --like`
  overview.png           all of them side by side
  report.html, run.json  what was done, with which versions, and every file's sha256

Images are {KINDS}
(docs/images.md).

Left alone, the segmenter fits the image (fluorescence: nuclei; else: cells and wound) and the model fits the
segmentation. Asking for the same again takes the results from the store and computes nothing. --until stops earlier,
and needs no model: after segment, or after render, under any --schema.

A folder, a pattern or several images are taken one by one, each into a folder of its own below --out, all with the same
options and --seed; {SUMMARY_HELP}.
An image that fails does not stop the others and is told at the end. With --time all each frame of a time series is
taken by itself, into folders t0000, t0001 and so on.

Where no object is found, or the image is unlike those that the segmenter was made for, the run stops after the
segmentation, says why, and ends with exit code 3; --force goes on all the same.

{SEEKING}

  biosynth run two.ome.tif --nuclei-channel 0 --cells-channel 1 --schema levels9 --until render --out results"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE|FOLDER|PATTERN", help=SOURCES)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--segmenter", default="", metavar="NAME", help="see `biosynth info`; default: one that fits")
    parser.add_argument("--schema", default="", metavar="NAME", help="levels of the reference; default: the model's")
    parser.add_argument(
        "--model",
        type=model_name,
        default=ANY,
        metavar="NAME[/VERSION]",
        help="see `biosynth models`; default: one that fits, the newest",
    )
    parser.add_argument("--until", choices=UNTIL, help="the last stage to do; default: generate")
    parser.add_argument("--force", action="store_true", help="generate whatever was found")
    add_seeking(parser)
    parser.add_argument("--boundary-thickness", type=COUNT, default=0, metavar="PX", help="default: the schema's own")
    parser.add_argument(
        "--tier-limits", type=tier_limits, default=(), metavar="A,B,...", help="of levels7, levels9; default: measured"
    )
    parser.add_argument(
        "--seed", type=SEED, default=0, metavar="N", help="of texture, noise and appearance (default 0)"
    )
    add_appearance(parser, sampled=True)
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command. Raises InvalidImage where an image failed, else UnsuitableImage where nothing was generated."""
    folder, paths = check_folder(arguments.out), find_images(arguments.images)
    names = result_names(paths) if are_many(arguments.images) else ["."]
    refuse_overwriting(paths, [folder / name / file for name in names for file in FILES])
    with open_session(os.environ, arguments.endpoint) as session:
        if are_many(arguments.images) or arguments.time == ALL:
            _several(dict(zip(paths, names, strict=True)), folder, arguments, session, console)
            return
        record = run_image(read_image(paths[0], wish_of(arguments)), folder, arguments, session, console)
    console.answer(record)
    if record["stopped"]:
        raise UnsuitableImage(_without_image([record], folder))


def _several(
    below: Mapping[Path, str], folder: Path, arguments: argparse.Namespace, session: Session, console: Console
) -> None:
    """Run each image, and each frame, into its folder below `folder`. Raises as `execute`."""

    def work(path: Path) -> list[dict[str, Any]]:
        records = []
        for image in read_images(path, wish_of(arguments)):
            results = Path(below[path], "" if image.frame is None else f"t{image.frame:04d}").as_posix()
            record = run_image(image, folder / results, arguments, session, console)
            records.append({**record, "image": str(path), "results": results})
        return records

    done, failed = for_each(work, list(below), console)
    lines = [{**one["segmentation"], **{name: one[name] for name in ("image", "results", "stopped")}} for one in done]
    write_file(folder / SUMMARY, summary(lines, failed))
    console.say(
        f"{len(done)} of {len(done) + len(failed)} images are in {folder}; {SUMMARY} has their counts and means"
    )
    console.answer({"images": done, "failed": [{"image": str(one.path), "why": one.why} for one in failed]})
    stopped = [record for record in done if record["stopped"]]
    if stopped and not failed:
        raise UnsuitableImage(_without_image(stopped, folder))
    if stopped:
        console.warn(_without_image(stopped, folder))
    raise_for(failed, len(done) + len(failed), folder)


def _without_image(stopped: Sequence[Mapping[str, Any]], folder: Path) -> str:
    """Of which images nothing was generated, and why."""
    lines = [f"{record['input']['name']}: {' '.join(record['stopped'])}" for record in stopped]
    images = "1 image" if len(stopped) == 1 else f"{len(stopped)} images"
    head = f"nothing was generated of {images}; what was found is in {folder}; --force generates all the same"
    return "\n".join([head, *lines])
