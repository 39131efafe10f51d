"""`biosynth render`: the reference of a segmentation."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from biosynth.contract import PARTS
from biosynth.v1.reference_pb2 import RenderRequest, RenderResponse

from services.cli.console import Console
from services.cli.files import check_folder, read_input, refuse_overwriting
from services.cli.folders import read_labels
from services.cli.images.lab_image import LabImage
from services.cli.images.reading import read_image
from services.cli.images.wish import add_wish, wish_of
from services.cli.naming import naming
from services.cli.notes import Notes
from services.cli.numbers import COUNT, tier_limits
from services.cli.run_record import level_pixels
from services.cli.session import Session, add_endpoint, open_session
from services.common.errors import InvalidSchema, InvalidSegmentation
from services.common.imaging.masks.doubts import emptiness
from services.common.imaging.masks.reading import is_segmentation
from services.common.imaging.ometiff import encode_segmentation
from services.common.whole_files import write_file

HELP = "draw the reference (label map) of a segmentation"
DESCRIPTION = """\
Writes STEM.reference.png (level indices) and STEM.reference_grey.png (for people and for pix2pix) into --out.
--schema takes a built-in name (levels4, levels7, levels9, nuclei3, cells4) or a YAML file of your own. Schemas with
grey tiers (levels7, levels9) sort cells by their brightness in --image; to use one set of limits for many images,
pass the limits that the first one printed as --tier-limits. Masks of another program are drawn with --as nuclei or --as
cells (docs/masks.md); of both, `biosynth combine` makes one segmentation."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "segmentation",
        type=Path,
        metavar="SEGMENTATION",
        help="an .ome.tif from `biosynth segment`, or masks with --as",
    )
    parser.add_argument("--as", dest="part", default="", choices=PARTS[:2], help="what masks of another program show")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--schema", required=True, metavar="NAME|FILE", help="a built-in schema, or a YAML file")
    parser.add_argument("--image", type=Path, metavar="IMAGE", help="the image itself, for schemas with grey tiers")
    add_wish(parser.add_argument_group("which plane of --image; --time also of masks that are stacks"))
    parser.add_argument("--boundary-thickness", type=COUNT, default=0, metavar="PX", help="default: the schema's own")
    parser.add_argument("--size", type=_size, metavar="HxW", help="rows and columns; default: the segmentation's")
    parser.add_argument(
        "--tier-limits", type=tier_limits, default=(), metavar="A,B,...", help="default: measured on --image"
    )
    parser.add_argument(
        "--absent",
        choices=PARTS,
        action="append",
        default=[],
        help="a part that the image does not show; drawn as none",
    )
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    folder = check_folder(arguments.out)
    stem = arguments.segmentation.name.removesuffix(arguments.segmentation.suffix).removesuffix(".ome")
    names = {"reference": f"{stem}.reference.png", "grey": f"{stem}.reference_grey.png"}
    inputs = [path for path in (arguments.segmentation, arguments.image) if path]
    refuse_overwriting(inputs, [folder / name for name in names.values()])
    image = read_image(arguments.image, wish_of(arguments)) if arguments.image else None
    segmentation = _segmentation(arguments, image, console)
    with open_session(os.environ, arguments.endpoint) as session:
        request = _request(arguments, segmentation, image, session)
        response: RenderResponse = session.ask(session.client.reference.Render, request)
    for field, name in names.items():
        write_file(folder / name, getattr(response, field).file)
    limits = [round(limit, 4) for limit in response.tier_limits]
    console.say(
        f"wrote {folder / names['reference']} under {response.schema.name}"
        + (f", tier limits {limits}" if limits else "")
    )
    record = {
        "files": {field: str(folder / name) for field, name in names.items()},
        "schema": response.schema.name,
        "tier_limits": list(response.tier_limits),
        "levels": list(level_pixels(response)),
        "cached": response.cached,
    }
    console.answer(record)


def _segmentation(arguments: argparse.Namespace, image: LabImage | None, console: Console) -> bytes:
    """The file of a segmentation as it is; of masks, with --as, one made of them."""
    path: Path = arguments.segmentation
    data = read_input(path)
    with naming(path):
        if is_segmentation(data):
            return data
        if not arguments.part:
            raise InvalidSegmentation(
                f"expected a segmentation, an .ome.tif with channels among {', '.join(PARTS)}; got another file; of "
                "masks, say what they show with --as nuclei or --as cells, or make one of several by `biosynth combine`"
            )
    notes, shape = Notes(), None
    if image is not None:
        height, width = image.pixels().shape
        shape = height, width
    frame = None if arguments.time is None else int(arguments.time)
    masks = read_labels(path, arguments.part, notes, shape, frame)
    notes.add(path.name, emptiness(masks.labels(arguments.part)))
    notes.tell(console)
    return encode_segmentation(masks.segmentation)


def _request(
    arguments: argparse.Namespace, segmentation: bytes, image: LabImage | None, session: Session
) -> RenderRequest:
    height, width = arguments.size or (0, 0)
    request = RenderRequest(
        segmentation=session.content(segmentation),
        boundary_thickness_px=arguments.boundary_thickness,
        height_px=height,
        width_px=width,
        tier_limits=arguments.tier_limits,
        absent_parts=arguments.absent,
    )
    if image is not None:
        request.image.CopyFrom(session.content(image.data))
        if image.shown is not None:
            request.channel = image.shown
    if arguments.schema.endswith((".yaml", ".yml")):
        request.schema_yaml = _read(Path(arguments.schema))
    else:
        request.schema_name = arguments.schema
    return request


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSchema(f"expected a schema, a YAML file, at {path}; {error}") from error


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise argparse.ArgumentTypeError(f"expected rows x columns, such as 1536x2048; got {text!r}")
    return int(height), int(width)
