"""What `segment` and `run` are told of an image beside its name: channels, and how large its objects are."""

from __future__ import annotations

import argparse
import math
import re
from dataclasses import dataclass

from biosynth.v1.pipeline_pb2 import RunRequest
from biosynth.v1.segmentation_pb2 import SegmentRequest

from services.cli.images.lab_image import LabImage
from services.cli.images.wish import add_wish
from services.common.errors import InvalidArgument, InvalidImage

HELP = """\
An image with a channel of stained nuclei beside one that shows cells (phase contrast, cytoplasm) has all parts: name
both channels, and each nucleus is found within its cell. --diameter says how large the objects are (of a disk of a
typical object's area; of cells, with two channels), in pixels or in um where the pixel size is known."""
_LENGTH = re.compile(r"([0-9]*\.?[0-9]+)\s*(px|um|µm|μm)?")


@dataclass(frozen=True)
class Diameter:
    """A number of pixels, or of micrometres."""

    value: float
    in_um: bool


def add_seeking(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_wish(parser, frames=True)
    parser.add_argument("--nuclei-channel", metavar="N|NAME", help="the channel of stained nuclei")
    parser.add_argument(
        "--cells-channel",
        metavar="N|NAME",
        help="with it: the channel that shows cells, in which --segmenter runs",
    )
    parser.add_argument(
        "--diameter", type=_diameter, metavar="LENGTH", help="of the objects: 30 (pixels) or 12um; default: estimated"
    )
    parser.add_argument(
        "--pixel-size",
        type=micrometres,
        metavar="UM",
        help="side of a pixel in um, for lengths in um; default: as the file says",
    )


def set_seeking(request: SegmentRequest | RunRequest, arguments: argparse.Namespace, image: LabImage) -> None:
    """Put into the request what the options say. Raises InvalidArgument where the image's pixel size is not known."""
    for name, channel in image.channels.items():
        setattr(request, name, channel)
    asked: Diameter | None = arguments.diameter
    if asked is not None:
        um = _pixel_um(image.pixel_size_um, arguments.pixel_size) if asked.in_um else 1.0
        request.diameter_px = asked.value / um
    if arguments.pixel_size is not None:
        request.pixel_size_um = arguments.pixel_size


def _pixel_um(found: tuple[float, float] | None, told: float | None) -> float:
    size = side_um(found) if told is None else told
    if size is None:
        raise InvalidArgument(
            "expected a pixel size for a --diameter in um, and this file does not say its own; give it with "
            "--pixel-size UM, or the diameter in pixels"
        )
    return size


def side_um(found: tuple[float, float] | None) -> float | None:
    """The side of square pixels, down and right, in um; None where a file does not say it.

    Raises InvalidImage for oblong ones.
    """
    if found is None:
        return None
    down, right = found
    if not math.isclose(down, right, rel_tol=0.01):
        raise InvalidImage(
            f"expected square pixels; this file's are {down:g} x {right:g} um; give lengths in pixels, or --pixel-size"
        )
    return right


def _diameter(text: str) -> Diameter:
    found = _LENGTH.fullmatch(text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"expected a length such as 30, 30px or 12um; got {text!r}")
    return Diameter(float(found[1]), found[2] not in (None, "px"))


def micrometres(text: str) -> float:
    """The side of a pixel in um: an argparse type."""
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not 0 < size < math.inf:
        raise argparse.ArgumentTypeError(f"expected the side of a pixel in um, such as 0.65; got {text!r}")
    return size
