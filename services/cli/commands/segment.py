"""`biosynth segment`: label maps of one image or of a folder of images."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from biosynth.errors import BiosynthCallError
from biosynth.v1.segmentation_pb2 import SegmentRequest, SegmentResponse

from services.cli.console import Console
from services.cli.exits import REFUSED, exit_code
from services.cli.files import check_folder, read_input, refuse_overwriting, write_file
from services.cli.folders import list_images, stem_of
from services.cli.numbers import COUNT
from services.cli.report import counts
from services.cli.session import Session, add_endpoint, open_session
from services.common.errors import BiosynthError, InvalidImage

HELP = "find cells, nuclei and the wound in images"
DESCRIPTION = """\
Writes STEM.ome.tif into --out for every image: one named channel for each of cells, nuclei and wound that the
segmenter finds. A folder is taken file by file; an image that fails is named at the end, and the others are done."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", type=Path, metavar="FILE|FOLDER", help="an image, or a folder of images")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--segmenter", default="", metavar="NAME", help="nuclei, cells, wound, scratch or auto (default)"
    )
    parser.add_argument("--channel", type=COUNT, metavar="N", help="channel of multi-channel files, from 0")
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command. Raises InvalidImage where any image failed."""
    folder, paths = check_folder(arguments.out), _images(arguments.source)
    refuse_overwriting(paths, [folder / name for _, name in _named(paths)])
    with open_session(os.environ, arguments.endpoint) as session:
        done, failed = _segment_all(paths, folder, arguments, session, console)
    for entry in done:
        console.say(f"{entry['file']}: {entry['found']} ({entry['segmenter']})")
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
        for path, name in _named(paths):
            bar.set_description(path.name)
            try:
                done.append(_segment(path, folder / name, arguments, session))
            except (BiosynthError, BiosynthCallError) as error:
                if len(paths) == 1 or exit_code(error) != REFUSED:  # the next image would fare no better
                    raise
                failed.append(f"{path.name}: {error.message}")
            bar.update(1)
    return done, failed


def _segment(path: Path, target: Path, arguments: argparse.Namespace, session: Session) -> dict[str, Any]:
    request = SegmentRequest(image=session.content(read_input(path)), segmenter=arguments.segmenter)
    if arguments.channel is not None:
        request.channel = arguments.channel
    response: SegmentResponse = session.ask(session.client.segmentation.Segment, request)
    write_file(target, response.segmentation.file)
    record = {
        "image": path.name,
        "file": str(target),
        "segmenter": response.segmenter.name,
        "parts": list(response.summary.parts),
        "cells": response.summary.cells,
        "nuclei": response.summary.nuclei,
        "wound_fraction": response.summary.wound_fraction,
        "cached": response.cached,
    }
    return {**record, "found": counts(record)}


def _images(source: Path) -> list[Path]:
    return list_images(source) if source.is_dir() else [source]


def _named(paths: list[Path]) -> list[tuple[Path, str]]:
    stems = [stem_of(path) for path in paths]
    if twice := {stem for stem in stems if stems.count(stem) > 1}:
        raise InvalidImage(
            f"expected names that differ before their suffix; {', '.join(sorted(twice))} would overwrite"
        )
    return [(path, f"{stem}.ome.tif") for path, stem in zip(paths, stems, strict=True)]
