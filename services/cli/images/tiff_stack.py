"""TIFF with axes: ImageJ hyperstacks, OME-TIFF, and what other microscope programs write into TIFF."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from services.cli.images.damage import damage_named
from services.cli.images.stack import UNNAMED, Place, Stack, sizes_of
from services.common.errors import InvalidImage
from services.common.imaging.formats.limits import ImageLimits
from services.common.imaging.formats.tiff import check_segments
from services.common.imaging.formats.tiff_directory import check_directories
from services.common.imaging.formats.tiff_names import channel_names
from services.common.imaging.formats.tiff_pixel_size import pixel_size_um

_KIND = "a TIFF"
_WHITE_IS_ZERO, _PALETTE = 0, 3
# Of the user's own files: planes are read one by one, so that a film of any length takes no more memory.
_MOST_PAGES = 100_000
_THUMBNAIL = 1  # bit of NewSubfileType


@contextmanager
def tiff_stacks(path: Path) -> Iterator[list[Stack]]:
    """The images of a TIFF file; nothing is decoded before `read`. Raises InvalidImage for a damaged one."""
    size = path.stat().st_size
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        check_directories(whole, ImageLimits(max_pages=_MOST_PAGES))
    # Files that the metadata names are not opened: only the one that the user gave.
    with ExitStack() as opened:
        with damage_named(_KIND):
            tiff = opened.enter_context(tifffile.TiffFile(path, _multifile=False))
            images = [series for series in tiff.series if not series.keyframe.subfiletype & _THUMBNAIL]
            stacks = [_stack(path, series, number, size) for number, series in enumerate(images)]
        yield stacks


def _stack(path: Path, series: Any, number: int, size: int) -> Stack:
    # Q: tifffile's own word for pages without a name; a C of samples that lie beside each other stays a channel.
    axes, page = series.axes.replace("Q", UNNAMED), series.keyframe
    if axes.count(UNNAMED) > 1:
        raise InvalidImage(f"expected axes with names; got {series.shape} without; save it as OME-TIFF")
    sizes = sizes_of(axes, series.shape)
    colour = "S" in axes or page.photometric == _PALETTE
    names = channel_names(page.description, sizes.get("C", 1), image=number)

    def read(place: Place) -> NDArray[Any]:
        with damage_named(_KIND):
            return _shown(_plane(path, series, axes, place, size), page)

    return Stack(
        name=series.name or str(number),
        axes=sizes,
        size=(series.shape[axes.index("Y")], series.shape[axes.index("X")]),
        dtype=series.dtype,
        colour=colour,
        channels=names,
        pixel_size_um=pixel_size_um(page),
        read=read,
    )


def _plane(path: Path, series: Any, axes: str, place: Place, size: int) -> NDArray[Any]:
    """The samples at a place, (H, W) or (H, W, S), as they are in the file."""
    if series.dataoffset is not None:
        return _picked(_mapped(path, series, size), axes, place)
    inner = axes[len(axes) - len(series.keyframe.shape) :]
    outer = axes[: len(axes) - len(inner)]
    shape = series.shape[: len(outer)]
    index = int(np.ravel_multi_index([place.get(axis, 0) for axis in outer], shape)) if outer else 0
    page = series[index]
    if page is None:
        raise InvalidImage(
            "expected all planes in one file; got an OME-TIFF that names other files for them; save it as one file"
        )
    check_segments(page.aspage(), size)
    return _picked(_decoded(path, page), inner, place)


def _mapped(path: Path, series: Any, size: int) -> NDArray[Any]:
    """All of a series that lies in the file in one piece; only what is looked at is read."""
    dtype = np.dtype(series.keyframe.parent.byteorder + series.dtype.char)
    end = series.dataoffset + int(np.prod(series.shape, dtype=np.int64)) * dtype.itemsize
    if end > size:
        raise InvalidImage(
            f"expected a whole TIFF; got one of {size} bytes whose pixels end at byte {end}; send the file again"
        )
    return np.memmap(path, dtype, "r", series.dataoffset, series.shape)


def _picked(pixels: NDArray[Any], axes: str, place: Place) -> NDArray[Any]:
    """One plane of several, with its samples last."""
    index = tuple(slice(None) if axis in "YXS" else place.get(axis, 0) for axis in axes)
    left = "".join(axis for axis in axes if axis in "YXS")
    return pixels[index].transpose([left.index(axis) for axis in "YXS" if axis in left])


def _decoded(path: Path, page: Any) -> NDArray[Any]:
    try:
        pixels: NDArray[Any] = page.asarray(maxworkers=1)
    except (ValueError, KeyError) as error:  # of a codec, of a predictor
        if "imagecodecs" not in str(error):
            raise
        return _by_opencv(path, page)
    return pixels


def _by_opencv(path: Path, page: Any) -> NDArray[Any]:
    """LZW, PackBits and other codecs of OpenCV's libtiff; see formats/tiff.py for why there is no imagecodecs."""
    whole, pages = cv2.imreadmulti(str(path), page.index, 1, flags=cv2.IMREAD_UNCHANGED)
    if not whole or not pages or pages[0].size != np.prod(page.shape) or pages[0].dtype != page.dtype:
        name = getattr(page.compression, "name", page.compression)
        raise InvalidImage(
            f"expected a TIFF without compression or with LZW, Deflate or PackBits; got {name} that cannot be decoded; "
            "save it without compression"
        )
    pixels: NDArray[Any] = np.asarray(pages[0])
    if pixels.ndim == 3:
        pixels = pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]]  # BGR(A) -> RGB(A)
        return pixels.transpose(2, 0, 1) if page.shape[0] == pixels.shape[2] else pixels
    return _inverted(pixels) if page.photometric == _WHITE_IS_ZERO else pixels  # OpenCV has inverted it


def _shown(pixels: NDArray[Any], page: Any) -> NDArray[Any]:
    """Samples as brightness: black is 0, colours are (H, W, 3)."""
    if page.photometric == _PALETTE:
        return np.asarray(np.asarray(page.colormap >> 8, np.uint8).T[pixels])
    if page.photometric == _WHITE_IS_ZERO and pixels.dtype.kind in "bu":
        return _inverted(pixels)
    return np.asarray(pixels[:, :, :3] if pixels.ndim == 3 else pixels)


def _inverted(pixels: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(~pixels)
