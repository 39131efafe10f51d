"""Bare arrays on the wire, within a server's limits; biosynth.raster defines what a raster is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from biosynth.contract import INLINE_BYTES
from biosynth.raster import pack, sample_dtype, samples_of
from biosynth.v1 import types_pb2
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, ObjectTooLarge
from services.common.imaging.formats.limits import ImageLimits
from services.common.steps import step


@step("decode")
def decode_raster(raster: types_pb2.Raster, limits: ImageLimits) -> tuple[NDArray[Any], str]:
    """Check a raster's header against the limits, then inflate exactly as many bytes as it announces.

    Returns the samples, (C, H, W), and the SHA-256 of a canonical header followed by the samples.
    Raises InvalidArgument for a wrong header or samples that do not fit it; ImageTooLarge, ObjectTooLarge over limits.
    """
    names, size = tuple(raster.channels), len(raster.zlib_samples)
    if size > INLINE_BYTES:
        raise ObjectTooLarge(f"expected a raster of at most {INLINE_BYTES} bytes as sent, got {size}; upload a file")
    limits.check_pages(len(names))
    try:
        limits.check_size(raster.height_px, raster.width_px, sample_dtype(raster).itemsize * len(names))
        samples = samples_of(raster)
    except ValueError as error:
        raise InvalidArgument(str(error)) from error
    header = json.dumps({"channels": names, "dtype": samples.dtype.str, "shape": samples.shape}, sort_keys=True)
    digest = hashlib.sha256(header.encode())
    digest.update(samples.data)
    return samples, digest.hexdigest()


@step("encode")
def encode_raster(planes: Mapping[str, NDArray[Any]]) -> types_pb2.Raster:
    """Planes by name, (H, W) each and of one size, as biosynth.raster packs them.

    Raises ObjectTooLarge above 16 MiB as sent, InvalidArgument for planes that a raster cannot hold.
    """
    try:
        raster = pack(planes)
    except ValueError as error:
        raise InvalidArgument(str(error)) from error
    if (size := len(raster.zlib_samples)) > INLINE_BYTES:
        raise ObjectTooLarge(
            f"expected a raster of at most {INLINE_BYTES} bytes, got one of {size}; ask for DELIVERY_OBJECT"
        )
    return raster
