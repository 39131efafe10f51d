"""TIFF: the chain of directories, followed with limits before a full parser may see the file (TIFF 6.0, BigTIFF)."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass

from services.common.errors import InvalidImage
from services.common.imaging.formats.limits import ImageLimits

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
# Parsers turn numbers into Python objects of 32 bytes and more; a palette, the longest honest tag, has 196,608.
_MAX_NUMBERS = 200_000
# Each strip or tile costs some 10 us however small it is. One a row is enough for images 65,536 high.
_MAX_SEGMENTS = 65_536
_SEGMENTS = (273, 279, 324, 325)  # offsets and byte counts of strips, then of tiles
_MAX_TAGS = 1_000
_DESCRIPTION = 270


@dataclass(frozen=True)
class _Form:
    """How numbers are laid out: classic TIFF or BigTIFF, in either byte order."""

    order: str
    big: bool

    def read(self, data: bytes | mmap.mmap, at: int, classic: str, big: str) -> int:
        """The unsigned number at `at`; `classic` and `big` are struct codes."""
        try:
            return int(struct.unpack_from(self.order + (big if self.big else classic), data, at)[0])
        except (struct.error, OverflowError) as error:
            raise InvalidImage(
                f"expected a whole TIFF, got one of {len(data)} bytes that points to byte {at}; send the file again"
            ) from error


def check_directories(data: bytes | mmap.mmap, limits: ImageLimits) -> None:
    """Raise InvalidImage where a directory or a tag's value lies outside the file, or directories form a loop.

    Raises ImageTooLarge for more than `limits.max_pages` directories. Refuses document types in OME-XML as well: XML
    bombs and references to other files need them, and no microscope writes them.
    """
    form = _Form("<" if data[:2] == b"II" else ">", data[2:4] in (b"+\x00", b"\x00+"))
    at, seen = form.read(data, 8 if form.big else 4, "I", "Q"), set[int]()
    while at:
        if at in seen:
            raise InvalidImage("expected a TIFF whose pages end, got one whose pages form a loop; the file is damaged")
        seen.add(at)
        limits.check_pages(len(seen))
        at = _check_directory(data, at, form)
    if not seen:
        raise InvalidImage("expected a TIFF with at least one page, got none")


def _check_directory(data: bytes | mmap.mmap, at: int, form: _Form) -> int:
    """Check the directory at `at`; return where the next one is."""
    tags = form.read(data, at, "H", "Q")
    if tags > _MAX_TAGS:
        raise InvalidImage(f"expected at most {_MAX_TAGS} tags a TIFF page, got {tags}; the file is damaged")
    first, entry = at + (8 if form.big else 2), 20 if form.big else 12
    for tag in range(tags):
        _check_tag(data, first + tag * entry, form)
    return form.read(data, first + tags * entry, "I", "Q")


def _check_tag(data: bytes | mmap.mmap, at: int, form: _Form) -> None:
    fixed = _Form(form.order, big=False)
    code, kind = fixed.read(data, at, "H", "H"), fixed.read(data, at + 2, "H", "H")
    count = form.read(data, at + 4, "I", "Q")
    width = _TYPE_BYTES.get(kind, 1)
    value = at + (12 if form.big else 8)
    start = value if count * width <= (8 if form.big else 4) else form.read(data, value, "I", "Q")
    if start + count * width > len(data):
        raise InvalidImage(f"expected a whole TIFF, got one of {len(data)} bytes whose tag {code} lies beyond its end")
    if count > _MAX_NUMBERS and kind not in (1, 2, 6, 7):
        raise InvalidImage(f"expected at most {_MAX_NUMBERS} values a TIFF tag, got {count} in tag {code}")
    if count > _MAX_SEGMENTS and code in _SEGMENTS:
        raise InvalidImage(
            f"expected at most {_MAX_SEGMENTS} strips or tiles a TIFF page, got {count}; save it with larger ones"
        )
    if code == _DESCRIPTION and (b"<!DOCTYPE" in (text := data[start : start + count].upper()) or b"<!ENTITY" in text):
        raise InvalidImage("expected OME-XML without document types or entities, got some; save the file again")
