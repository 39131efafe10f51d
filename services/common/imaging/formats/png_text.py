"""What a PNG says of itself beside its pixels: tEXt chunks (W3C PNG specification, third edition, 11.3.3.2)."""

from __future__ import annotations

import struct
import zlib
from itertools import takewhile

from biosynth.contract import PNG

from services.common.imaging.formats.png import chunks

_HEADER_END = len(PNG) + 12 + 13  # text goes behind the header, which stays where it is


def with_text(data: bytes, keyword: str, text: str) -> bytes:
    """Add a text to a whole PNG. keyword, text: Latin-1; the former 1 to 79 characters."""
    body = b"tEXt" + keyword.encode("latin-1") + b"\0" + text.encode("latin-1")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:_HEADER_END] + chunk + data[_HEADER_END:]


def text_of(data: bytes, keyword: str) -> str:
    """The text that a PNG has under a keyword, before its pixels; empty where there is none.

    Raises InvalidImage where the file is damaged before that.
    """
    wanted = keyword.encode("latin-1") + b"\0"
    before = takewhile(lambda chunk: chunk[0] != b"IDAT", chunks(data))
    texts = (bytes(body) for kind, body in before if kind == b"tEXt")
    return next((text.removeprefix(wanted).decode("latin-1") for text in texts if text.startswith(wanted)), "")
