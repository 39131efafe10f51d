"""Files of a lab that services take as they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from biosynth.contract import TIFF

from services.cli.files import read_input
from services.cli.images.choosing import Chosen
from services.cli.images.colours import choose_colour
from services.cli.images.lab_image import LabImage, channel_fields
from services.cli.images.stack import Stack
from services.cli.images.wish import Wish
from services.common.errors import InvalidImage
from services.common.imaging.formats.limits import ImageLimits
from services.common.imaging.formats.tiff import TiffPlanes

_CONTRACT_TYPES = (np.uint8, np.uint16, np.bool_)


def unchanged(path: Path, stack: Stack, chosen: Chosen, wish: Wish) -> LabImage | None:
    """The user's file itself, where services make the same of it; None where it must be prepared."""
    plain = wish.limits is None and set(stack.axes) <= {"C"} and stack.dtype in _CONTRACT_TYPES and path.is_file()
    if not plain or path.stat().st_size > ImageLimits().max_bytes or (stack.colour and not _is_grey(stack, wish)):
        return None
    data = read_input(path)
    several = stack.axes.get("C", 1) > 1
    if _planes(data) != stack.axes.get("C", 1):
        return None
    record = {"name": path.name, "sha256": hashlib.sha256(data).hexdigest()}
    channels = channel_fields(chosen.channels, chosen.channels) if several else {}
    return LabImage(data, channels, stack.pixel_size_um, None, (), record)


def _planes(data: bytes) -> int:
    """Of how many planes services take a file; 0 where they refuse it, such as a TIFF of too many pages."""
    if not data.startswith(TIFF):
        return 1
    try:
        return len(TiffPlanes(data, ImageLimits()).planes)
    except InvalidImage:
        return 0


def _is_grey(stack: Stack, wish: Wish) -> bool:
    return not choose_colour(stack.read({}), wish.channel)[1]
