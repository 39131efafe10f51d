"""What both ends of the contract agree on and protos cannot say: limits, file types, parts, ranges."""

from __future__ import annotations

import re

MIB = 1024 * 1024
# Limit on pixels inside a message: a file, or a raster after compression.
INLINE_BYTES = 16 * MIB
# A request has at most two such parts (Render; of Generate's three, large ones go by the store), a reply four (Run's
# pixels); 4 MiB are left for all else, among them Run's table of objects.
REQUEST_BYTES = 36 * MIB
REPLY_BYTES = 68 * MIB
LINK_SECONDS = 15 * 60

# What a segmentation may hold, in this order.
PARTS = ("cells", "nuclei", "wound")
# With a channel of stained nuclei: what finds cells in the other one unless the caller names another, and what nuclei.
CELLS_CHANNEL_SEGMENTER, NUCLEI_CHANNEL_SEGMENTER = "scratch", "nuclei"
# Under this keyword a reference's PNG (its tEXt) has the schema that it is drawn under, as `name/version`.
SCHEMA_KEYWORD = "biosynth-schema"
# Prefixes of the keys that callers may name.
READABLE = ("inputs/", "results/", "datasets/")
MAX_THICKNESS_PX = 64
# The largest value of each of an appearance's fields; the smallest is 0.
APPEARANCE_LIMITS = {
    "background": 1.0,
    "contrast": 1.0,
    "spread": 8.0,
    "noise": 1.0,
    "sharpness": 8.0,
    "grain": 1.0,
    "unevenness": 1.0,
}

# Of a model, as in the store's keys and in labels of metrics.
MODEL_NAME, MODEL_VERSION = "[a-z0-9][a-z0-9-]*", r"[0-9]+(?:\.[0-9]+)*"
MAX_MODEL_CHARACTERS = 100

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # little and big endian; + is BigTIFF
EXTENSIONS = ("png", "tif", "jpg")
# What files of other formats begin with, for messages: (offset, bytes, what it is, what to do).
_BY_COMMAND = "the command `biosynth` reads it, with the extra `formats`; or save it as TIFF"
_SAVE = "save it as PNG or TIFF"
_FOREIGN = (
    (0, b"ZISRAWFILE", "a CZI file (Zeiss)", _BY_COMMAND),
    (0, b"\xda\xce\xbe\x0a", "an ND2 file (Nikon)", _BY_COMMAND),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 file, or an ND2 file (Nikon) of before 2009", "save it as TIFF"),
    (0, b"\x70\0\0\0", "a LIF file (Leica)", _BY_COMMAND),
    (0, b"\xd0\xcf\x11\xe0", "an OLE file, such as OIB (Olympus) or ZVI (Zeiss)", "save it as TIFF"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as IMS (Imaris)", "save it as TIFF"),
    (128, b"DICM", "a DICOM file", "save it as TIFF"),
    (0, b"\x93NUMPY", "a NumPy file", "pass the array to the SDK, or save it as TIFF"),
    (0, b"GIF8", "a GIF file", _SAVE),
    (0, b"BM", "a Windows bitmap", _SAVE),
    (0, b"%PDF", "a PDF document", "export the picture as PNG or TIFF"),
    (0, b"PK\x03\x04", "a ZIP archive", "unpack it"),
)
FOREIGN_BYTES = 132  # of a file's start, which its format is told by

_SHA256 = re.compile("[0-9a-f]{64}")
_MODEL = re.compile(f"({MODEL_NAME})/({MODEL_VERSION})")


def is_sha256(text: str) -> bool:
    """Whether the text can be a SHA-256 as the contract writes it: 64 lower-case hex digits.

    >>> is_sha256("0a" * 32), is_sha256("0A" * 32)
    (True, False)
    """
    return _SHA256.fullmatch(text) is not None


def model_of(text: str) -> tuple[str, str] | None:
    """A model's name and version, of `name/version` with at most 100 characters; None for any other text.

    >>> model_of("fluo-nuclei/2"), model_of("fluo-nuclei")
    (('fluo-nuclei', '2'), None)
    """
    found = _MODEL.fullmatch(text) if len(text) <= MAX_MODEL_CHARACTERS else None
    return None if found is None else (found[1], found[2])


def described(head: bytes) -> str:
    """What a file that services do not read is, and what to do about it; by its first FOREIGN_BYTES.

    >>> described(b"ZISRAWFILE and so on").partition(";")[0]
    'a CZI file (Zeiss)'
    """
    for at, magic, name, advice in _FOREIGN:
        if head[at : at + len(magic)] == magic:
            return f"{name}; {advice}"
    return f"one that begins with {head[:8].hex(' ')} (hexadecimal); {_SAVE}" if head else "0 bytes"


def extension_of(head: bytes) -> str | None:
    """The extension of a file that begins with these bytes; None for a kind that services do not read.

    >>> extension_of(b"II*\\0 and so on")
    'tif'
    """
    kinds = {PNG: "png", JPEG: "jpg", **dict.fromkeys(TIFF, "tif")}
    return next((extension for magic, extension in kinds.items() if head.startswith(magic)), None)
