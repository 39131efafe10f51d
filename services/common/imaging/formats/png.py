"""PNG: the header, and whether the file is whole (W3C PNG specification, third edition)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from biosynth.contract import PNG

from services.common.errors import InvalidImage
from services.common.imaging.formats.limits import ImageLimits

SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type: samples a pixel
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
# Adam7: (first row, row step, first column, column step) of each pass.
_ADAM7 = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
_PIECE = 1 << 20


def check_png(data: bytes, limits: ImageLimits) -> None:
    """Raise InvalidImage unless `data` is a whole PNG, and ImageTooLarge where its header is over `limits`.

    Decoders silently fill what is missing with grey, so every chunk's length and checksum is checked up to IEND, and
    the pixel stream is inflated once, a piece at a time, to see that it holds every row.
    """
    found = chunks(data)
    kind, header = next(found)
    if kind != b"IHDR" or len(header) != 13:
        raise InvalidImage("expected a PNG whose first chunk is a header of 13 bytes; the file is damaged")
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
    if depth not in _DEPTHS.get(colour, ()) or interlace > 1:
        raise InvalidImage(f"expected a PNG of a known kind, got {depth} bit of colour type {colour}")
    # Decoders widen palettes and low depths to whole bytes, and a palette or grey with alpha to four samples.
    samples = {0: 1, 2: 3}.get(colour, 4)
    limits.check_size(height, width, samples * (2 if depth == 16 else 1))
    _check_rows((bytes(body) for kind, body in found if kind == b"IDAT"), _stream_size(header))


def png_size(data: bytes) -> tuple[int, int]:
    """(height, width) as the header says. Raises InvalidImage where the file ends before it."""
    if len(data) < 24:
        raise InvalidImage(f"expected a whole PNG, got one cut off after {len(data)} bytes; send the file again")
    width, height = struct.unpack_from(">II", data, 16)
    return height, width


def is_grey8(data: bytes) -> bool:
    """Whether a checked PNG holds one plain channel of 8 bit, so that decoding changes no value."""
    return data[24] == 8 and data[25] == 0


def chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """(type, body) of every chunk up to IEND. Raises InvalidImage at one that is cut off or damaged."""
    view, at = memoryview(data), len(PNG)
    while at + 12 <= len(view):
        length, kind = struct.unpack_from(">I4s", view, at)
        end = at + 12 + length
        if end > len(view):
            break
        if zlib.crc32(view[at + 4 : end - 4]) != struct.unpack_from(">I", view, end - 4)[0]:
            raise InvalidImage(
                f"expected an intact PNG, got a wrong checksum in its {kind!r} chunk; the file is damaged"
            )
        yield kind, view[at + 8 : end - 4]
        if kind == b"IEND":
            return
        at = end
    raise InvalidImage(f"expected a whole PNG, got one cut off after {len(data)} bytes; send the file again")


def _stream_size(header: memoryview) -> int:
    """Number of bytes in the inflated pixel stream: a filter byte and the packed samples of every row."""
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
    bits = depth * SAMPLES[colour]
    passes = _ADAM7 if interlace else ((0, 1, 0, 1),)
    size = 0
    for top, down, left, right in passes:
        rows, columns = -(-(height - top) // down), -(-(width - left) // right)
        if rows > 0 and columns > 0:
            size += rows * (1 + -(-columns * bits // 8))
    return size


def _check_rows(bodies: Iterator[bytes], expected: int) -> None:
    inflate, size = zlib.decompressobj(), 0
    try:
        for body in bodies:
            rest = body
            while rest and size <= expected:
                size += len(inflate.decompress(rest, _PIECE))
                rest = inflate.unconsumed_tail
    except zlib.error as error:
        raise InvalidImage(f"expected an intact PNG, got a damaged pixel stream ({error})") from error
    if size < expected:
        raise InvalidImage(f"expected a whole PNG of {expected} bytes of rows, got {size}; send the file again")
