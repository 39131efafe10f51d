"""`biosynth combine`: one segmentation from label maps that came from elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.cli.console import Console
from services.cli.files import check_folder, refuse_overwriting, write_file
from services.cli.folders import read_labels
from services.common.errors import InvalidSegmentation
from services.common.imaging.labels import Labels, Mask, Segmentation
from services.common.imaging.ometiff import encode_segmentation
from services.segmentation.wound_zone import DILATION_PX, EROSION_PX, wound_zone

HELP = "make one segmentation of label maps from other programs, with the wound zone"
DESCRIPTION = f"""\
Takes label maps of cells and nuclei (grey PNG or TIFF of 8 or 16 bit, 0 = background, such as Cellpose's _cp_masks,
or a segmentation of `biosynth segment`) and writes one .ome.tif that `biosynth render` draws under any schema.
The wound comes from --wound (a mask, or a segmentation), or, with --wound-zone, from the cells: where a disk of
{EROSION_PX} px fits between them, grown by {DILATION_PX} px, cells and nuclei taken out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--cells", type=Path, metavar="FILE", help="label map of whole cells")
    parser.add_argument("--nuclei", type=Path, metavar="FILE", help="label map of nuclei")
    wound = parser.add_mutually_exclusive_group()
    wound.add_argument("--wound", type=Path, metavar="FILE", help="mask of the wound, 0 = none")
    wound.add_argument("--wound-zone", action="store_true", help="find the wound between the cells")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the .ome.tif to write")


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command. Raises InvalidSegmentation for a file that is no label map."""
    refuse_overwriting([path for path in (arguments.cells, arguments.nuclei, arguments.wound) if path], [arguments.out])
    cells, nuclei = _read(arguments.cells, "cells"), _read(arguments.nuclei, "nuclei")
    segmentation = Segmentation(cells, nuclei, _wound(arguments, cells, nuclei))
    check_folder(arguments.out.parent)
    write_file(arguments.out, encode_segmentation(segmentation))
    console.say(f"wrote {arguments.out} with {', '.join(segmentation.parts)}")
    console.answer({"file": str(arguments.out), "parts": list(segmentation.parts)})


def _read(path: Path | None, part: str) -> Labels | None:
    return None if path is None else read_labels(path, part)


def _wound(arguments: argparse.Namespace, cells: Labels | None, nuclei: Labels | None) -> Mask | None:
    if not arguments.wound_zone:
        mask = _read(arguments.wound, "wound")
        return None if mask is None else mask > 0
    if cells is None:
        raise InvalidSegmentation("expected --cells with --wound-zone, which is found between the cells")
    return wound_zone(cells, nuclei)
