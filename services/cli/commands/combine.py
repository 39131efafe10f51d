"""`biosynth combine`: one segmentation from label maps that came from elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from biosynth.contract import PARTS

from services.cli.console import Console
from services.cli.files import check_folder, refuse_overwriting
from services.cli.folders import read_labels, size_of
from services.cli.notes import Notes
from services.cli.numbers import COUNT
from services.common.errors import InvalidSegmentation
from services.common.imaging.labels import Labels, Mask, Segmentation
from services.common.imaging.masks.doubts import emptiness
from services.common.imaging.ometiff import encode_segmentation
from services.common.whole_files import write_file
from services.segmentation.wound_zone import DILATION_PX, EROSION_PX, wound_zone

HELP = "make one segmentation of label maps from other programs, with the wound zone"
DESCRIPTION = f"""\
Takes masks of cells and nuclei of any program and writes one .ome.tif that `biosynth render` draws under any schema:
label maps (TIFF, PNG, .npy; 0 = background), Cellpose's _cp_masks and _seg.npy, ImageJ ROIs, GeoJSON, or a segmentation
of `biosynth segment`. Outlines (ROIs, GeoJSON) need --image, whose size they have; of stacks, --time chooses a frame.
The wound comes from --wound (a mask, or a segmentation), or, with --wound-zone, from the cells: where a disk of
{EROSION_PX} px fits between them, grown by {DILATION_PX} px, cells and nuclei taken out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--cells", type=Path, metavar="FILE", help="masks of whole cells")
    parser.add_argument("--nuclei", type=Path, metavar="FILE", help="masks of nuclei")
    wound = parser.add_mutually_exclusive_group()
    wound.add_argument("--wound", type=Path, metavar="FILE", help="mask of the wound, 0 = none")
    wound.add_argument("--wound-zone", action="store_true", help="find the wound between the cells")
    parser.add_argument(
        "--image", type=Path, metavar="IMAGE", help="the image itself: masks must have its size, and get its pixel size"
    )
    parser.add_argument("--time", type=COUNT, metavar="N", help="frame of stacks of masks, from 0")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the .ome.tif to write")


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command. Raises InvalidSegmentation for a file that holds no masks, or masks of other sizes."""
    inputs = (arguments.cells, arguments.nuclei, arguments.wound, arguments.image)
    refuse_overwriting([path for path in inputs if path], [arguments.out])
    notes = Notes()
    shape, pixel_um = size_of(arguments.image) if arguments.image else (None, None)
    cells, nuclei, marked = _parts(arguments, shape, notes)
    segmentation = Segmentation(cells, nuclei, _wound(arguments, cells, nuclei, marked))
    check_folder(arguments.out.parent)
    write_file(arguments.out, encode_segmentation(segmentation, pixel_um))
    notes.tell(console)
    objects = {
        part: len(np.unique(labels[labels > 0]))
        for part in PARTS[:2]
        if (labels := getattr(segmentation, part)) is not None
    }
    found = [f"{objects[part]} {part}" if part in objects else part for part in segmentation.parts]
    console.say(f"wrote {arguments.out} with {', '.join(found)}")
    console.answer({"file": str(arguments.out), "parts": list(segmentation.parts), "objects": objects})


def _parts(arguments: argparse.Namespace, shape: tuple[int, int] | None, notes: Notes) -> list[Labels | None]:
    """Cells, nuclei and wound as their files say; all of one size, that of the image where there is one."""
    found: list[Labels | None] = []
    for part in PARTS:
        path: Path | None = getattr(arguments, part)
        if path is None:
            found.append(None)
            continue
        labels = read_labels(path, part, notes, shape, arguments.time).labels(part)
        if part != "wound":
            notes.add(path.name, emptiness(labels))
        shape = shape or (labels.shape[0], labels.shape[1])
        found.append(labels)
    return found


def _wound(
    arguments: argparse.Namespace, cells: Labels | None, nuclei: Labels | None, marked: Labels | None
) -> Mask | None:
    if not arguments.wound_zone:
        return None if marked is None else marked > 0
    if cells is None:
        raise InvalidSegmentation("expected --cells with --wound-zone, which is found between the cells")
    return wound_zone(cells, nuclei)
