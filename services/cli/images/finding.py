"""The images of a folder, of all formats that the command line reads."""

from __future__ import annotations

from pathlib import Path

from services.cli.folders import SUFFIXES, list_images
from services.cli.images.ome_zarr import is_zarr
from services.cli.images.opening import MORE_SUFFIXES


def find_images(source: Path) -> list[Path]:
    """The file itself, or a folder's images by name; an OME-Zarr folder is an image. Raises as `list_images`."""
    if not source.is_dir() or is_zarr(source):
        return [source]
    return list_images(source, (*SUFFIXES, *MORE_SUFFIXES))
