"""JPEG: the frame header, and whether the file is whole (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from services.common.errors import InvalidImage
from services.common.imaging.formats.limits import ImageLimits

# Baseline, extended and progressive Huffman; lossless and arithmetic frames are not read by common decoders.
_FRAMES = (0xC0, 0xC1, 0xC2)
_OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_SCAN, _END = 0xDA, 0xD9
# Inside a scan, FF 00 is a stuffed byte, FF D0..D7 a restart and FF FF fill; anything else ends the scan.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


def check_jpeg(data: bytes, limits: ImageLimits) -> None:
    """Raise InvalidImage unless `data` is a whole JPEG of 8 bit, and ImageTooLarge where it is over `limits`.

    Decoders silently fill missing rows with grey, so the markers are followed to the end of the image; a search for the
    end marker alone might find that of a thumbnail inside.
    """
    framed = scanned = False
    for marker, body in _segments(data):
        if marker in _OTHER_FRAMES:
            raise InvalidImage(
                "expected a baseline or progressive JPEG, got a lossless or arithmetic one; save it as PNG"
            )
        if marker in _FRAMES:
            _check_frame(body, limits)
            framed = True
        scanned = scanned or marker == _SCAN
    if not (framed and scanned):
        raise InvalidImage("expected a JPEG with an image in it, got one without; send the file again")


def jpeg_size(data: bytes) -> tuple[int, int]:
    """(height, width) as the frame's header says. Raises InvalidImage where there is none."""
    for marker, body in _segments(data):
        if marker in _FRAMES and len(body) >= 5:
            height, width = struct.unpack_from(">HH", body, 1)
            return height, width
    raise InvalidImage("expected a JPEG with an image in it, got one without; send the file again")


def _check_frame(body: bytes, limits: ImageLimits) -> None:
    if len(body) < 6:
        raise InvalidImage("expected a JPEG frame header of at least 6 bytes; the file is damaged")
    precision, height, width, components = struct.unpack_from(">BHHB", body)
    if precision != 8:
        raise InvalidImage(f"expected a JPEG of 8 bit, got {precision} bit; save it as 16-bit PNG or TIFF")
    if components not in (1, 3):
        raise InvalidImage(f"expected a grey or RGB JPEG, got {components} components; save it as grey PNG")
    limits.check_size(height, width, components)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, body) of every segment up to the end of the image."""
    at = 2
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            raise InvalidImage(f"expected a JPEG marker at byte {at}, got other data; the file is damaged")
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
            continue
        if marker == _END:
            return
        if at + 4 > len(data):
            break
        length = struct.unpack_from(">H", data, at + 2)[0]
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + max(length, 2)
        if marker == _SCAN:
            found = _MARKER.search(data, at)
            at = found.start() if found else len(data)
    raise InvalidImage(f"expected a whole JPEG, got one cut off after {len(data)} bytes; send the file again")
