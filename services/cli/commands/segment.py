"""`biosynth segment`: label maps of images, and the table and outlines of their objects."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from biosynth.v1.segmentation_pb2 import SegmentRequest, SegmentResponse

from services.cli.batch import Failed, for_each, raise_for
from services.cli.console import Console
from services.cli.files import check_folder, refuse_overwriting
from services.cli.images.lab_image import LabImage
from services.cli.images.reading import read_images
from services.cli.images.wish import ALL, wish_of
from services.cli.object_files import NAMES, listed, object_files
from services.cli.report import counts
from services.cli.run_record import doubts, segmentation_record
from services.cli.seeking import HELP as SEEKING
from services.cli.seeking import add_seeking, set_seeking
from services.cli.session import Session, add_endpoint, open_session
from services.cli.sources import HELP as SOURCES
from services.cli.sources import are_many, find_images, result_names
from services.cli.summary import FILE as SUMMARY
from services.cli.summary import HELP as SUMMARY_HELP
from services.cli.summary import summary
from services.common.imaging.intensity import to_eight_bit
from services.common.imaging.ometiff import decode_segmentation
from services.common.whole_files import write_file

HELP = "find cells, nuclei and the wound in images"
DESCRIPTION = f"""\
Writes into --out for every image:

  STEM.ome.tif           one named channel for each of cells, nuclei and wound that the segmenter finds
{listed("STEM.", 25)}

A folder, a pattern or several images are taken file by file;
{SUMMARY_HELP}.
An image that fails is named at the end, and the others are done. With --time all each frame of a time series has files
of its own, STEM.t0000.ome.tif and so on.

{SEEKING}

  biosynth segment two.ome.tif --nuclei-channel 0 --cells-channel 1 --diameter 25um --out masks"""
SUFFIXES = (".ome.tif", *(f".{name}" for name in NAMES))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE|FOLDER|PATTERN", help=SOURCES)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--segmenter", default="", metavar="NAME", help="nuclei, cells, wound, scratch or auto (default)"
    )
    add_seeking(parser)
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command. Raises InvalidImage where any image failed."""
    folder, paths = check_folder(arguments.out), find_images(arguments.images)
    targets = {path: folder / name for path, name in zip(paths, result_names(paths), strict=True)}
    refuse_overwriting(paths, [Path(f"{target}{suffix}") for target in targets.values() for suffix in SUFFIXES])
    with open_session(os.environ, arguments.endpoint) as session:

        def work(path: Path) -> list[dict[str, Any]]:
            records = []
            for image in read_images(path, wish_of(arguments)):
                target = Path(f"{targets[path]}{'' if image.frame is None else f'.t{image.frame:04d}'}")
                record = _segment(image, target, arguments, session)
                _tell(record, image, console)
                records.append({**record, "path": str(path), "results": target.relative_to(folder).as_posix()})
            return records

        if are_many(arguments.images) or arguments.time == ALL:
            done, failed = for_each(work, paths, console)
            write_file(folder / SUMMARY, summary([{**one, "image": one["path"]} for one in done], failed))
        else:
            done, failed = work(paths[0]), list[Failed]()
    lost = {"failed": [f"{one.path.name}: {one.why}" for one in failed]} if failed else {}
    console.answer({"images": done, **lost})
    raise_for(failed, len(done) + len(failed), folder)


def _segment(image: LabImage, target: Path, arguments: argparse.Namespace, session: Session) -> dict[str, Any]:
    """target: of the results, without suffix."""
    request = SegmentRequest(segmenter=arguments.segmenter)
    set_seeking(request, arguments, image)
    request.image.CopyFrom(session.content(image.data))
    response: SegmentResponse = session.ask(session.client.segmentation.Segment, request)
    written = {".ome.tif": response.segmentation.file}
    made = object_files(
        to_eight_bit(image.pixels()), decode_segmentation(response.segmentation.file), response.objects.file
    )
    written |= {f".{name}": data for name, data in made.items()}
    check_folder(target.parent)
    for suffix, data in written.items():
        write_file(Path(f"{target}{suffix}"), data)
    record = segmentation_record(response)
    kinds = ("file", "objects", "picture", "outlines", "rois")
    return {
        "image": image.record["name"],
        "input": image.record,
        **{kind: f"{target}{suffix}" for kind, suffix in zip(kinds, SUFFIXES, strict=True)},
        **record,
        "cached": response.cached,
        "found": counts(record),
    }


def _tell(record: Mapping[str, Any], image: LabImage, console: Console) -> None:
    for note in image.notes:
        console.say(f"{record['image']}: {note}")
    sure = record["choice_confidence"]
    chosen = "" if sure is None else f", chosen by auto, which is {sure:.2f} sure"
    console.say(f"{record['file']}: {record['found']} ({record['segmenter']}{chosen})")
    for warning in doubts(record):
        console.warn(f"{record['image']}: {warning}")
