"""A generated image as the kind of file that its name says."""

from __future__ import annotations

import io
from pathlib import Path

import tifffile

from services.common.errors import InvalidArgument
from services.common.imaging.images import decode_image
from services.common.whole_files import write_file

_TIFF = (".tif", ".tiff")


def check_picture_name(path: Path) -> None:
    """Raise InvalidArgument for a name that is neither that of a PNG nor of a plain TIFF."""
    name = path.name.lower()
    if not name.endswith((".png", *_TIFF)) or name.endswith((".ome.tif", ".ome.tiff")):
        raise InvalidArgument(f"expected --out to end in .png, .tif or .tiff; got {path.name}")


def write_picture(path: Path, png: bytes) -> None:
    """Write a PNG as it is, or as a TIFF of the same grey values where the name says so."""
    write_file(path, _tiff(png) if path.suffix.lower() in _TIFF else png)


def _tiff(png: bytes) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(
        file, decode_image(png), photometric="minisblack", compression="zlib", software="biosynth", metadata=None
    )
    return file.getvalue()
