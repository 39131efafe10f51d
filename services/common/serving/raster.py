"""Bare arrays on the wire: biosynth.v1.Raster to planes and back."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from biosynth.v1 import types_pb2
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, ObjectTooLarge
from services.common.imaging.formats.limits import ImageLimits

INLINE_LIMIT = 16 * 1024**2
_DTYPES: dict[int, np.dtype[Any]] = {
    types_pb2.SAMPLE_TYPE_UINT8: np.dtype("u1"),
    types_pb2.SAMPLE_TYPE_UINT16: np.dtype("<u2"),
    types_pb2.SAMPLE_TYPE_UINT32: np.dtype("<u4"),
}
_TYPES = {dtype: sample_type for sample_type, dtype in _DTYPES.items()}


@dataclass(frozen=True)
class Planes:
    """Named planes of one size and dtype, and the SHA-256 of their canonical header and samples."""

    names: tuple[str, ...]
    samples: NDArray[Any]  # (C, H, W), uint8, uint16 or uint32
    sha256: str


def decode_raster(raster: types_pb2.Raster, limits: ImageLimits) -> Planes:
    """Check a raster's header, then inflate exactly as many bytes as it announces.

    Raises InvalidArgument for a wrong header or samples that do not fit it; ImageTooLarge, ObjectTooLarge over limits.
    """
    names, size = tuple(raster.channels), len(raster.zlib_samples)
    dtype = _DTYPES.get(raster.sample_type)
    if dtype is None:
        raise InvalidArgument(f"expected a raster of uint8, uint16 or uint32, got sample type {raster.sample_type}")
    if not names or len(set(names)) < len(names):
        raise InvalidArgument(f"expected a raster with different channel names, got {list(names)[:8]}")
    if size > INLINE_LIMIT:
        raise ObjectTooLarge(f"expected a raster of at most {INLINE_LIMIT} bytes as sent, got {size}; upload a file")
    limits.check_pages(len(names))
    limits.check_size(raster.height_px, raster.width_px, dtype.itemsize * len(names))
    shape = (len(names), raster.height_px, raster.width_px)
    samples = _inflate(raster.zlib_samples, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
    header = json.dumps({"channels": names, "dtype": dtype.str, "shape": shape}, sort_keys=True)
    digest = hashlib.sha256(header.encode())
    digest.update(samples)
    return Planes(names, np.frombuffer(samples, dtype).reshape(shape), digest.hexdigest())


def encode_raster(planes: Mapping[str, NDArray[Any]]) -> types_pb2.Raster:
    """Planes by name, (H, W) each and of one size: bool, unsigned, or labels from 0.

    One type for all, the smallest that holds each plane's own (int32 labels count by their values). Raises
    ObjectTooLarge above 16 MiB as sent, InvalidArgument for planes that a raster cannot hold.
    """
    stacked = np.stack([_unsigned(name, plane) for name, plane in planes.items()])  # (C, H, W)
    data = zlib.compress(stacked.astype(stacked.dtype.newbyteorder("<"), copy=False).tobytes(), 6)
    if len(data) > INLINE_LIMIT:
        raise ObjectTooLarge(
            f"expected a raster of at most {INLINE_LIMIT} bytes, got one of {len(data)}; ask for DELIVERY_OBJECT"
        )
    return types_pb2.Raster(
        height_px=stacked.shape[1],
        width_px=stacked.shape[2],
        sample_type=types_pb2.SampleType.ValueType(_TYPES[stacked.dtype.newbyteorder("<")]),
        channels=list(planes),
        zlib_samples=data,
    )


def _unsigned(name: str, plane: NDArray[Any]) -> NDArray[Any]:
    if plane.dtype == np.bool_:
        return plane.astype(np.uint8)
    if plane.dtype in (np.uint8, np.uint16, np.uint32):
        return plane
    if plane.dtype != np.int32 or (plane.size and int(plane.min()) < 0):
        raise InvalidArgument(f"expected {name} as bool, unsigned or labels from 0, got {plane.dtype}")
    small = not plane.size or int(plane.max()) <= np.iinfo(np.uint16).max
    return plane.astype(np.uint16 if small else np.uint32)


def _inflate(data: bytes, expected: int) -> bytes:
    inflate = zlib.decompressobj()
    try:
        # One byte more than announced is enough to know that there are too many.
        samples = inflate.decompress(data, expected + 1)
    except zlib.error as error:
        raise InvalidArgument(f"expected samples compressed by zlib (RFC 1950), got other bytes ({error})") from error
    if len(samples) != expected or not inflate.eof or inflate.unused_data:
        came = f"{len(samples)}" if len(samples) < expected else f"more than {expected}"
        raise InvalidArgument(f"expected {expected} bytes of samples, as the raster's header says, got {came}")
    return samples
