"""Any image file that a lab has, told apart by its first bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path

from biosynth.contract import FOREIGN_BYTES, JPEG, PNG, TIFF, described

from services.cli.files import read_input
from services.cli.images.czi_stack import czi_stacks
from services.cli.images.lif_stack import lif_stacks
from services.cli.images.nd2_stack import nd2_stacks
from services.cli.images.ome_zarr import is_zarr, zarr_stacks
from services.cli.images.picture import picture_stack
from services.cli.images.stack import Stack
from services.cli.images.tiff_stack import tiff_stacks
from services.common.errors import InvalidImage

# What files begin with: their format, its reader and the package that reads it.
_CZI, _LIF, _LIF_SECOND = b"ZISRAWFILE", b"\x70\0\0\0", 0x2A
_ND2 = (b"\xda\xce\xbe\x0a", b"\0\0\0\x0cjP  ")
KINDS = "PNG, JPEG, TIFF, OME-TIFF, and with the extra `formats` CZI, ND2, LIF and OME-Zarr"
MORE_SUFFIXES = (".czi", ".nd2", ".lif", ".zarr")  # beside those of the services


@contextmanager
def opened(path: Path) -> Iterator[list[Stack]]:
    """The images of a file or of an OME-Zarr folder, none decoded yet.

    Raises InvalidImage for anything else, for a damaged file, and where the format's reader is not installed.
    """
    with _stacks(path) as stacks:
        if not stacks:
            raise InvalidImage("expected a file with an image; got one without")
        yield stacks


def _stacks(path: Path) -> AbstractContextManager[list[Stack]]:
    if is_zarr(path):
        return _by("zarr", "an OME-Zarr folder", zarr_stacks, path)
    head = _head(path)
    if head.startswith((PNG, JPEG)):
        return _one(picture_stack(read_input(path)))
    if head.startswith(TIFF):
        return tiff_stacks(path)
    if head.startswith(_CZI):
        return _by("pylibCZIrw", "a CZI file (Zeiss)", czi_stacks, path)
    if head.startswith(_ND2):
        return _by("nd2", "an ND2 file (Nikon)", nd2_stacks, path)
    if head.startswith(_LIF) and head[8:9] == bytes([_LIF_SECOND]):
        return _by("liffile", "a LIF file (Leica)", lif_stacks, path)
    raise InvalidImage(f"expected {KINDS}; got {described(head)}")


def _by(
    package: str, name: str, reader: Callable[[Path], AbstractContextManager[list[Stack]]], path: Path
) -> AbstractContextManager[list[Stack]]:
    if find_spec(package) is None:
        raise InvalidImage(
            f'expected a reader for {name}; it is not installed: pip install "biosynth-services[formats]" where '
            "biosynth is installed, or save the image as OME-TIFF"
        )
    return reader(path)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FOREIGN_BYTES)
    except OSError as error:
        raise InvalidImage(f"expected a readable file at {path}; {error.strerror}") from error


@contextmanager
def _one(stack: Stack) -> Iterator[list[Stack]]:
    yield [stack]
