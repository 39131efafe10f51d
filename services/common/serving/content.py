"""Pixels as they come (biosynth.v1.Content) to arrays; blocking, for worker threads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from biosynth.contract import INLINE_BYTES, MIB, PNG, SCHEMA_KEYWORD, is_sha256
from biosynth.v1 import types_pb2
from numpy.typing import NDArray

from services.common.abandonment import stop_if_abandoned
from services.common.errors import (
    ContentMismatch,
    InvalidArgument,
    InvalidImage,
    InvalidReference,
    ObjectTooLarge,
    at,
)
from services.common.imaging.formats import png
from services.common.imaging.formats.png_text import text_of
from services.common.imaging.images import (
    Image,
    ImageLimits,
    channels_announced,
    choose_channel,
    decode_image,
    pixels_announced,
    square_pixel_um,
)
from services.common.imaging.labels import Segmentation
from services.common.imaging.ometiff import decode_segmentation, segmentation_from_planes
from services.common.serving.raster import decode_raster, raster_digest
from services.common.serving.turns import Turns
from services.common.storage.keys import check_readable
from services.common.storage.store import Store

_DEFAULT = ImageLimits()


# What objects' files take at a time beside computations, as memory.py reckons: 4 that are read to be identified (there
# are more threads than these), or one that is larger, whatever it is read for.
SMALL_BYTES = 64 * MIB
_TURNS = Turns(4)
_PNG_HEADER = 26  # bytes, up to the colour type


@dataclass(frozen=True)
class Fetched:
    """What a Content holds: file bytes, or a raster's planes (C, H, W) with their names."""

    data: bytes | None
    raster: NDArray[Any] | None
    sha256: str  # over the file's bytes, or over the raster's canonical header and samples
    channels: tuple[str, ...] = ()


def fetch(content: types_pb2.Content, store: Store, limits: ImageLimits = _DEFAULT) -> Fetched:
    """Get the bytes or planes, wherever they are.

    Raises InvalidArgument for an empty Content, InvalidKey, KeyNotAllowed, ObjectNotFound, ObjectTooLarge (also for
    a file above 16 MiB inside the message), ContentMismatch for another SHA-256 than named, and what stores raise.
    """
    source = content.WhichOneof("source")
    if source == "object":
        with at("object"):
            return fetch_object(content.object, store, limits)
    if source == "file":
        if len(content.file) > INLINE_BYTES:
            raise ObjectTooLarge(
                f"expected a file of at most {INLINE_BYTES} bytes in a message, got {len(content.file)}; upload it",
                field="file",
                got=len(content.file),
                limit=INLINE_BYTES,
            )
        return Fetched(content.file, None, hashlib.sha256(content.file).hexdigest())
    if source == "raster":
        with at("raster"):
            return Fetched(None, *decode_raster(content.raster, limits), tuple(content.raster.channels))
    raise InvalidArgument("expected pixels as an object, a file or a raster, got none of them")


@contextmanager
def _held(
    content: types_pb2.Content, store: Store, limits: ImageLimits, turn: AbstractContextManager[None] | None = None
) -> Iterator[Fetched]:
    """What fetch gives, for as long as it is in memory; a large object waits for its turn. turn: of a small one."""
    with ExitStack() as turns:
        stop_if_abandoned()
        turns.enter_context(turn or nullcontext())
        stop_if_abandoned()
        try:
            fetched = fetch(content, store, replace(limits, max_bytes=min(limits.max_bytes, SMALL_BYTES)))
        except ObjectTooLarge:
            if content.WhichOneof("source") != "object" or limits.max_bytes <= SMALL_BYTES:
                raise
            turns.close()  # who waits for all places must hold none
            turns.enter_context(_TURNS.large())
            stop_if_abandoned()
            fetched = fetch(content, store, limits)
        yield fetched


@dataclass(frozen=True)
class Identified:
    """A Content with the SHA-256 of what it holds, and how many pixels it announces: 0 where that cannot be told.

    content: the same, held to that digest from now on. pixel_um: side of a pixel, where a TIFF file says it.
    channels: names of its channels, "" where one has none; () for other formats.
    """

    content: types_pb2.Content
    sha256: str
    pixels: int
    pixel_um: float | None = None
    channels: tuple[str, ...] = ()


def identify(content: types_pb2.Content, store: Store, limits: ImageLimits = _DEFAULT) -> Identified:
    """Look at what a Content holds, without keeping or decoding it: many calls may wait. Raises as fetch."""
    if content.WhichOneof("source") == "raster":
        raster = content.raster
        with at("raster"):
            return Identified(content, raster_digest(raster, limits), raster.height_px * raster.width_px)
    turn = _TURNS.small() if content.WhichOneof("source") == "object" else None
    with _held(content, store, limits, turn) as fetched:
        pixels = pixels_announced(fetched.data or b"", limits)
        pixel_um = square_pixel_um(fetched.data or b"", limits)
        channels = channels_announced(fetched.data or b"", limits)
    if content.WhichOneof("source") == "object":
        content = types_pb2.Content(object=types_pb2.ObjectRef(key=content.object.key, sha256=fetched.sha256))
    return Identified(content, fetched.sha256, pixels, pixel_um, channels)


def read_image(
    content: types_pb2.Content, channel: int | None, store: Store, limits: ImageLimits = _DEFAULT
) -> tuple[Image, str]:
    """One grey channel, (H, W) uint8 or uint16, and the SHA-256 of what was sent. Raises as fetch and decode_image."""
    with _held(content, store, limits) as fetched, _about(content):
        if fetched.data is not None:
            return decode_image(fetched.data, channel, limits), fetched.sha256
        return _choose(fetched, channel), fetched.sha256


def read_reference(
    content: types_pb2.Content, store: Store, limits: ImageLimits = _DEFAULT, schema: str = ""
) -> tuple[NDArray[np.uint8], str]:
    """Level indices, (H, W) uint8, and the SHA-256 of what was sent. Whether they are in the schema is not looked at.

    schema: `name/version` that the reference is to be drawn under; empty: any. Raises InvalidReference for a PNG that
    says another one, and for anything but a grey PNG of 8 bit or a raster of one uint8 plane: a conversion from colour
    or a lossy file would change indices. Also raises as fetch and decode_image do.
    """
    with _held(content, store, limits) as fetched, _about(content):
        levels = _levels(fetched, limits)
        _check_schema(fetched, schema)
        return levels, fetched.sha256


def _levels(fetched: Fetched, limits: ImageLimits) -> NDArray[np.uint8]:
    expected = "expected a reference as grey PNG of 8 bit or as raster of one uint8 plane, got "
    if fetched.raster is not None:
        if len(fetched.raster) != 1 or fetched.raster.dtype != np.uint8:
            raise InvalidReference(f"{expected}{len(fetched.raster)} planes of {fetched.raster.dtype}")
        plane: NDArray[np.uint8] = fetched.raster[0]
        return plane
    data = fetched.data or b""
    if data and not data.startswith(PNG):
        raise InvalidReference(
            f"{expected}a file that begins with {data[:8].hex(' ')} (hexadecimal); of masks, `biosynth render "
            "--as nuclei` or `--as cells` draws a reference"
        )
    if len(data) > _PNG_HEADER and not png.is_grey8(data):
        raise InvalidReference(
            f"{expected}a PNG in colour or of another depth; `biosynth render` draws a reference of a label map"
        )
    return decode_image(data, None, limits).view(np.uint8)


def _check_schema(fetched: Fetched, expected: str) -> None:
    """Same indices mean other things under other schemas: where it can be told, an image of nonsense is not made."""
    said = text_of(fetched.data, SCHEMA_KEYWORD) if fetched.data else ""
    if said and expected and said != expected:
        raise InvalidReference(
            f"expected a reference drawn under schema {expected}, which this model has learned, got one that is drawn "
            f"under {said[:80]!a}; draw it again under that schema, or choose another model",
            known=expected,
            asked=said[:80],
        )


def read_segmentation(
    content: types_pb2.Content, store: Store, limits: ImageLimits = _DEFAULT
) -> tuple[Segmentation, str]:
    """A segmentation and the SHA-256 of what was sent. Raises as fetch and decode_segmentation do."""
    with _held(content, store, limits) as fetched, _about(content):
        if fetched.raster is None:
            return decode_segmentation(fetched.data or b"", limits), fetched.sha256
        planes = dict(zip(fetched.channels, fetched.raster, strict=True))
        return segmentation_from_planes(planes), fetched.sha256


def fetch_object(ref: types_pb2.ObjectRef, store: Store, limits: ImageLimits = _DEFAULT) -> Fetched:
    """Get an object that a caller names. Raises as fetch."""
    if ref.sha256 and not is_sha256(ref.sha256):
        raise InvalidArgument(
            f"expected a SHA-256 as 64 lower-case hex digits, got {ref.sha256[:80]!a}", field="sha256"
        )
    with at("key"):
        check_readable(ref.key)
        data = store.get(ref.key, limits.max_bytes)
    sha256 = hashlib.sha256(data).hexdigest()
    if ref.sha256 and sha256 != ref.sha256:
        raise ContentMismatch(
            f"expected {ref.key!a} to have SHA-256 {ref.sha256}, got {sha256}",
            field="sha256",
            asked=ref.sha256,
            got=sha256,
        )
    return Fetched(data, None, sha256)


def _about(content: types_pb2.Content) -> AbstractContextManager[None]:
    return at(content.WhichOneof("source") or "")


def _choose(fetched: Fetched, channel: int | None) -> Image:
    planes = fetched.raster
    if planes is None or planes.dtype not in (np.uint8, np.uint16):
        raise InvalidImage(f"expected samples of 8 or 16 bit, got {planes.dtype if planes is not None else 'none'}")
    plane: Image = planes[choose_channel(fetched.channels, channel)].astype(planes.dtype.newbyteorder("="), copy=False)
    return plane
