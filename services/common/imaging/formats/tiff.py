"""TIFF: which planes a file holds, and the samples of one of them."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from services.common.errors import InvalidImage
from services.common.imaging.formats.damage import damage_named
from services.common.imaging.formats.limits import ImageLimits
from services.common.imaging.formats.tiff_directory import check_directories
from services.common.imaging.formats.tiff_names import channel_names
from services.common.imaging.formats.tiff_pixel_size import pixel_size_um

NONE, LZW, DEFLATE, OLD_DEFLATE, PACKBITS = 1, 5, 8, 32946, 32773
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_PIECE, _SLICE = 1 << 20, 1 << 16
# In these vendors' dialects the parser would follow private tags and open other files; we read plain pages alone.
_PLAIN = dict.fromkeys(("is_lsm", "is_scanimage", "is_ndpi", "is_mmstack", "is_ndtiff", "is_stk"), False)
_NUMBERS = (
    "imagelength",
    "imagewidth",
    "imagedepth",
    "samplesperpixel",
    "bitspersample",
    "sampleformat",
    "photometric",
    "planarconfig",
    "compression",
    "subfiletype",
)


@dataclass(frozen=True)
class Plane:
    """One grey plane or one colour image: sample `sample` of page `page`, or all its samples where None."""

    page: int
    sample: int | None
    name: str


class TiffPlanes:
    """The planes of one TIFF file, checked against limits; nothing is decoded before `read`."""

    def __init__(self, data: bytes, limits: ImageLimits) -> None:
        """Raises InvalidImage for a damaged file or a kind that we do not read, ImageTooLarge for one over limits."""
        check_directories(data, limits)
        self._data = data
        self._limits = limits
        with damage_named(_damaged):
            tiff = tifffile.TiffFile(io.BytesIO(data), _multifile=False, **_PLAIN)
            self._pages: list[Any] = [tiff.pages[index].aspage() for index in range(len(tiff.pages))]
            for page in self._pages:
                _check_types(page)
            # Bit 0 of NewSubfileType marks thumbnails and the lower levels of pyramids.
            self._images = [index for index, page in enumerate(self._pages) if not page.subfiletype & 1]
            self.planes = self._list_planes()

    def _list_planes(self) -> tuple[Plane, ...]:
        if not self._images:
            raise InvalidImage("expected a TIFF with an image, got only thumbnails")
        sizes = {(page.imagelength, page.imagewidth) for page in map(self._pages.__getitem__, self._images)}
        if len(sizes) > 1:
            listed = ", ".join(f"{height} x {width}" for height, width in sorted(sizes))
            raise InvalidImage(f"expected TIFF pages of one size, got {listed}; save the page of interest alone")
        places: list[tuple[int, int | None]] = []
        for index in self._images:
            page = self._pages[index]
            check_page(page, len(self._data), self._limits)
            split = page.samplesperpixel > 1 and page.photometric != _RGB
            places += [(index, sample) for sample in range(page.samplesperpixel)] if split else [(index, None)]
        self._limits.check_pages(len(places))
        names = channel_names(self._pages[self._images[0]].description, len(places))
        return tuple(Plane(page, sample, name) for (page, sample), name in zip(places, names, strict=True))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), the same for all planes."""
        page = self._pages[self._images[0]]
        return page.imagelength, page.imagewidth

    @property
    def pixel_size_um(self) -> tuple[float, float] | None:
        """Height and width of a pixel in micrometres, as the file says; None where it does not."""
        with damage_named(_damaged):
            return pixel_size_um(self._pages[self._images[0]])

    def read(self, plane: Plane, numbers: bool = False) -> NDArray[Any]:
        """Samples of one plane, (H, W) or, of a colour image, (H, W, 3 or 4) as RGB(A); black is 0.

        numbers: samples are labels, so any type of number, as it is stored: where white is 0, programs mean by 1 an
        object all the same. Raises InvalidImage where the samples are damaged, and, unless `numbers`, are not unsigned
        integers of 1, 8, 16 or 32 bit.
        """
        page = self._pages[plane.page]
        with damage_named(_damaged):
            pixels = self._decode(page, plane.page)
            (check_numbers if numbers else check_samples)(page, pixels)
            if pixels.ndim == 3 and page.planarconfig == 2:
                pixels = np.moveaxis(pixels, 0, 2)  # (S, H, W) -> (H, W, S)
            if plane.sample is not None:
                pixels = pixels[:, :, plane.sample]
            if page.photometric == _WHITE_IS_ZERO and not numbers:
                pixels = ~pixels
            if page.photometric == _PALETTE:
                pixels = np.asarray(page.colormap >> 8, np.uint8).T[pixels]  # (H, W, 3)
        return pixels

    def _decode(self, page: Any, index: int) -> NDArray[Any]:
        if page.compression in (LZW, PACKBITS):
            return _decode_by_opencv(self._data, page, index)
        if page.compression in (DEFLATE, OLD_DEFLATE):
            _check_inflated(self._data, page)
        pixels: NDArray[Any] = page.asarray(maxworkers=1)
        return pixels


def _damaged(error: Exception) -> InvalidImage:
    return InvalidImage(f"expected a readable TIFF, got one that is damaged ({error})")


def _check_types(page: Any) -> None:
    """Check what the parser does not: a tag may hold two numbers, or text, where one number belongs."""
    for name in _NUMBERS:
        if not isinstance(value := getattr(page, name), int):
            raise InvalidImage(f"expected one number as {name} of a TIFF page, got {str(value)[:80]!a}")


def check_page(page: Any, file_size: int, limits: ImageLimits) -> None:
    """Check one page's tags: size, compression, colours, and that every strip or tile lies within the file."""
    samples, bits = page.samplesperpixel, page.bitspersample
    limits.check_size(page.imagelength, page.imagewidth, samples * max(bits, 8) / 8)
    if page.imagedepth != 1:
        raise InvalidImage(f"expected flat TIFF pages, got one {page.imagedepth} deep; save one page a plane")
    if page.compression not in (NONE, LZW, DEFLATE, OLD_DEFLATE, PACKBITS):
        name = getattr(page.compression, "name", page.compression)
        raise InvalidImage(f"expected a TIFF without compression or with LZW, Deflate or PackBits, got {name}")
    if page.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE):
        name = getattr(page.photometric, "name", page.photometric)
        raise InvalidImage(f"expected a TIFF in grey, RGB or with a palette, got {name}; save it as grey")
    if page.photometric == _RGB and samples not in (3, 4):
        raise InvalidImage(f"expected an RGB TIFF of 3 or 4 samples a pixel, got {samples}; save it as grey")
    check_segments(page, file_size)


def check_segments(page: Any, file_size: int) -> None:
    """Check that all strips or tiles are there and in the file: parsers silently fill absent ones with zeros."""
    offsets, counts = page.dataoffsets, page.databytecounts
    expected = math.prod(page.chunked)
    if len(offsets) != expected or len(counts) != expected or not all(offsets) or not all(counts):
        raise InvalidImage(f"expected {expected} strips or tiles a TIFF page, got {len(offsets)} or empty ones")
    end = max(offset + count for offset, count in zip(offsets, counts, strict=True))
    stored = sum(counts)
    needed = page.imagelength * -(-page.imagewidth * page.samplesperpixel * page.bitspersample // 8)
    if end > file_size or (page.compression == NONE and stored < needed):
        raise InvalidImage(
            f"expected a whole TIFF, got one of {file_size} bytes whose pixels end at byte {max(end, needed)}; "
            "send the file again"
        )
    if stored > file_size:  # the same bytes, listed as many strips, would be inflated as many times
        raise InvalidImage(
            f"expected TIFF strips that do not overlap, got {stored} bytes of them in a file of {file_size}"
        )


def check_samples(page: Any, pixels: NDArray[Any]) -> None:
    """Raise InvalidImage unless samples are unsigned integers of whole size."""
    if page.sampleformat == _UNSIGNED and page.bitspersample in (1, 8, 16, 32):
        return
    kind = {2: "signed", 3: "float"}.get(int(page.sampleformat), "packed")
    came = f"{page.bitspersample} bit {kind}"
    if page.sampleformat == _FLOAT and (bad := int(np.count_nonzero(~np.isfinite(pixels)))):
        came += f" with {bad} NaN or infinite values"
    raise InvalidImage(f"expected unsigned samples of 8 or 16 bit, got {came}; convert the image to 16 bit")


def check_numbers(page: Any, pixels: NDArray[Any]) -> None:
    """Raise InvalidImage unless samples are numbers, integer or floating point, as label maps have them."""
    if page.sampleformat in (_UNSIGNED, _SIGNED, _FLOAT) and pixels.dtype.kind in "biuf":
        return
    raise InvalidImage(
        f"expected a label map of whole numbers; got other samples of {page.bitspersample} bit; save the labels as "
        "integers"
    )


def _segment_bytes(page: Any) -> int:
    """Bytes of the largest strip or tile when inflated."""
    return int(math.prod(page.chunks)) * -(-int(page.bitspersample) // 8)


def _check_inflated(data: bytes, page: Any) -> None:
    """Inflate every segment, up to its expected size: the decoder has no limit, and 256 MiB can inflate to 256 GiB."""
    view, limit = memoryview(data), _segment_bytes(page)
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        size = 0
        for piece in _inflate(view[offset : offset + count]):
            if (size := size + len(piece)) > limit:
                raise InvalidImage(f"expected TIFF strips of at most {limit} bytes when inflated, got more")


def _inflate(segment: memoryview) -> Iterator[bytes]:
    """Pieces of at most 1 MiB. Input goes in by slices, since zlib copies the unused input for every piece."""
    inflate = zlib.decompressobj()
    try:
        for start in range(0, len(segment), _SLICE):
            fed: bytes | memoryview = segment[start : start + _SLICE]
            while fed and not inflate.eof:
                yield inflate.decompress(fed, _PIECE)
                fed = inflate.unconsumed_tail
            if inflate.eof:
                return
        yield inflate.flush()  # after a full last piece, zlib may still hold some bytes
    except zlib.error as error:
        raise InvalidImage(f"expected an intact TIFF, got a damaged strip ({error}); send the file again") from error
    if not inflate.eof:
        raise InvalidImage("expected a whole TIFF, got a strip that ends early; send the file again")


def _decode_by_opencv(data: bytes, page: Any, index: int) -> NDArray[Any]:
    """Decode LZW and PackBits by OpenCV's libtiff, which uses a buffer of the strip's size and refuses damage.

    tifffile would need imagecodecs for these: 26 MB, some sixty codecs, all exposed to files from anybody.
    """
    shape = page.shape
    if page.planarconfig == 2 or page.samplesperpixel not in (1, 3, 4) or page.bitspersample not in (8, 16):
        raise InvalidImage(
            f"expected a compressed TIFF page of 1, 3 or 4 interleaved samples of 8 or 16 bit, got {shape} of "
            f"{page.bitspersample} bit; save it without compression or with Deflate"
        )
    whole, pages = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED, range=(index, index + 1))
    if not whole or not pages or pages[0].shape[:2] != shape[:2] or pages[0].dtype != page.dtype:
        raise InvalidImage("expected an intact TIFF, got a page that cannot be decoded; save it without compression")
    return _undo_opencv(pages[0], page)


def _undo_opencv(pixels: NDArray[Any], page: Any) -> NDArray[Any]:
    """The samples as they are in the file: OpenCV returns BGR(A), and inverts white-is-zero images."""
    if pixels.ndim == 3:
        order = [2, 1, 0, 3][: pixels.shape[2]]
        return np.ascontiguousarray(pixels[:, :, order])
    return ~pixels if page.photometric == _WHITE_IS_ZERO else pixels
