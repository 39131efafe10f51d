"""`biosynth segment`: label maps of one image or of a folder of images."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from biosynth.errors import BiosynthCallError
from biosynth.objects import ObjectTable
from biosynth.v1.segmentation_pb2 import SegmentRequest, SegmentResponse

from services.cli.console import Console
from services.cli.exits import REFUSED, exit_code
from services.cli.files import check_folder, refuse_overwriting, write_file
from services.cli.folders import stem_of
from services.cli.images.finding import find_images
from services.cli.images.reading import LabImage, read_images
from services.cli.images.wish import wish_of
from services.cli.objects_picture import objects_picture
from services.cli.report import counts
from services.cli.run_record import segmentation_record
from services.cli.seeking import HELP as SEEKING
from services.cli.seeking import add_seeking, set_seeking
from services.cli.session import Session, add_endpoint, open_session
from services.common.errors import BiosynthError, InvalidImage
from services.common.imaging.images import encode_png
from services.common.imaging.intensity import to_eight_bit
from services.common.imaging.ometiff import decode_segmentation

HELP = "find cells, nuclei and the wound in images"
DESCRIPTION = f"""\
Writes into --out for every image:

  STEM.ome.tif       one named channel for each of cells, nuclei and wound that the segmenter finds
  STEM.objects.csv   a line for each cell and nucleus: area, whether it touches the border, how sure the segmenter is
  STEM.objects.png   the same as a picture: outlines from red (unsure) to green, dashed at the image's border

A folder is taken file by file; an image that fails is named at the end, and the others are done. With --time all each
frame of a time series has files of its own, STEM.t0000.ome.tif and so on.

{SEEKING}

  biosynth segment two.ome.tif --nuclei-channel 0 --cells-channel 1 --diameter 25um --out masks"""
SUFFIXES = (".ome.tif", ".objects.csv", ".objects.png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "source", type=Path, metavar="FILE|FOLDER", help="an image (docs/images.md), or a folder of images"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--segmenter", default="", metavar="NAME", help="nuclei, cells, wound, scratch or auto (default)"
    )
    add_seeking(parser)
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command. Raises InvalidImage where any image failed."""
    folder, paths = check_folder(arguments.out), find_images(arguments.source)
    refuse_overwriting(paths, [folder / f"{stem}{suffix}" for _, stem in _named(paths) for suffix in SUFFIXES])
    with open_session(os.environ, arguments.endpoint) as session:
        done, failed = _segment_all(paths, folder, arguments, session, console)
    for entry in done:
        sure = entry["choice_confidence"]
        chosen = "" if sure is None else f", chosen by auto, which is {sure:.2f} sure"
        console.say(f"{entry['file']}: {entry['found']} ({entry['segmenter']}{chosen})")
        for warning in entry["warnings"]:
            console.warn(f"{entry['image']}: {warning}")
    if failed:
        console.answer({"images": done, "failed": failed})
        raise InvalidImage(
            f"{len(failed)} of {len(paths)} images failed; the others are in {folder}\n" + "\n".join(failed)
        )
    console.answer({"images": done})


def _segment_all(
    paths: list[Path], folder: Path, arguments: argparse.Namespace, session: Session, console: Console
) -> tuple[list[dict[str, Any]], list[str]]:
    """Records of the images that were done, and what was wrong with the others."""
    done: list[dict[str, Any]] = []
    failed: list[str] = []
    with console.progress(total=len(paths), unit="image") as bar:
        for path, stem in _named(paths):
            bar.set_description(path.name)
            try:
                for image in read_images(path, wish_of(arguments)):
                    for note in image.notes:
                        console.say(f"{path.name}: {note}")
                    frame = "" if image.frame is None else f".t{image.frame:04d}"
                    done.append(_segment(image, folder / f"{stem}{frame}", arguments, session))
            except (BiosynthError, BiosynthCallError) as error:
                if len(paths) == 1 or exit_code(error) != REFUSED:  # the next image would fare no better
                    raise
                failed.append(f"{path.name}: {error.message}")
            bar.update(1)
    return done, failed


def _segment(image: LabImage, target: Path, arguments: argparse.Namespace, session: Session) -> dict[str, Any]:
    """target: of the results, without suffix."""
    request = SegmentRequest(segmenter=arguments.segmenter)
    set_seeking(request, arguments, image)
    request.image.CopyFrom(session.content(image.data))
    response: SegmentResponse = session.ask(session.client.segmentation.Segment, request)
    segmentation, objects = response.segmentation.file, response.objects.file
    picture = objects_picture(to_eight_bit(image.pixels()), decode_segmentation(segmentation), ObjectTable.of(objects))
    files = [Path(f"{target}{suffix}") for suffix in SUFFIXES]
    for file, data in zip(files, (segmentation, objects, encode_png(picture)), strict=True):
        write_file(file, data)
    record = segmentation_record(response)
    return {
        "image": image.record["name"],
        "input": image.record,
        **dict(zip(("file", "objects", "picture"), map(str, files), strict=True)),
        **record,
        "cached": response.cached,
        "found": counts(record),
    }


def _named(paths: list[Path]) -> list[tuple[Path, str]]:
    stems = [stem_of(path) for path in paths]
    if twice := {stem for stem in stems if stems.count(stem) > 1}:
        raise InvalidImage(
            f"expected names that differ before their suffix; {', '.join(sorted(twice))} would overwrite"
        )
    return list(zip(paths, stems, strict=True))
