"""Bare arrays on the wire, within a server's limits; biosynth.raster defines what a raster is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from biosynth.contract import INLINE_BYTES
from biosynth.raster import pack, sample_bytes, sample_dtype, samples_of
from biosynth.v1 import types_pb2
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, ObjectTooLarge, at
from services.common.imaging.formats.limits import ImageLimits
from services.common.steps import step


@step("decode")
def decode_raster(raster: types_pb2.Raster, limits: ImageLimits) -> tuple[NDArray[Any], str]:
    """Check a raster's header against the limits, then inflate exactly as many bytes as it announces.

    Returns the samples, (C, H, W), and the SHA-256 of a canonical header followed by the samples.
    Raises InvalidArgument for a wrong header or samples that do not fit it; ImageTooLarge, ObjectTooLarge over limits.
    """
    digest = _header_digest(raster, limits)
    with _refused():
        samples = samples_of(raster)
    digest.update(samples.data)
    return samples, digest.hexdigest()


def raster_digest(raster: types_pb2.Raster, limits: ImageLimits) -> str:
    """The same SHA-256, with a small part of the samples in memory at a time. Raises as decode_raster."""
    digest = _header_digest(raster, limits)
    with _refused():
        for piece in sample_bytes(raster):
            digest.update(piece)
    return digest.hexdigest()


def _header_digest(raster: types_pb2.Raster, limits: ImageLimits) -> hashlib._Hash:
    """The digest of a header that is within limits."""
    names, size = tuple(raster.channels), len(raster.zlib_samples)
    if size > INLINE_BYTES:
        raise ObjectTooLarge(
            f"expected a raster of at most {INLINE_BYTES} bytes as sent, got {size}; upload a file",
            field="zlib_samples",
            got=size,
            limit=INLINE_BYTES,
        )
    with at("channels"):
        limits.check_pages(len(names))
    with _refused("sample_type"):
        dtype = sample_dtype(raster)
    limits.check_size(raster.height_px, raster.width_px, dtype.itemsize * len(names))
    shape = (len(names), raster.height_px, raster.width_px)
    return hashlib.sha256(json.dumps({"channels": names, "dtype": dtype.str, "shape": shape}, sort_keys=True).encode())


@contextmanager
def _refused(field: str = "") -> Iterator[None]:
    """What the SDK refuses, as a refusal of ours."""
    try:
        yield
    except ValueError as error:
        raise InvalidArgument(str(error), field=field) from error


@step("encode")
def encode_raster(planes: Mapping[str, NDArray[Any]]) -> types_pb2.Raster:
    """Planes by name, (H, W) each and of one size, as biosynth.raster packs them.

    Raises ObjectTooLarge above 16 MiB as sent, InvalidArgument for planes that a raster cannot hold.
    """
    with _refused():
        raster = pack(planes)
    if (size := len(raster.zlib_samples)) > INLINE_BYTES:
        raise ObjectTooLarge(
            f"expected a raster of at most {INLINE_BYTES} bytes, got one of {size}; ask for DELIVERY_OBJECT",
            field="delivery",
            got=size,
            limit=INLINE_BYTES,
        )
    return raster
