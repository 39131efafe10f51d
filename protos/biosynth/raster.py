"""Arrays as the contract's rasters, and back."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biosynth.contract import PARTS
from biosynth.errors import InvalidInputError
from biosynth.v1.types_pb2 import Raster as RasterMessage
from biosynth.v1.types_pb2 import SampleType

_TYPES: dict[Any, np.dtype[Any]] = {
    SampleType.SAMPLE_TYPE_UINT8: np.dtype("<u1"),
    SampleType.SAMPLE_TYPE_UINT16: np.dtype("<u2"),
    SampleType.SAMPLE_TYPE_UINT32: np.dtype("<u4"),
}
_SAMPLE_TYPES = {dtype: sample_type for sample_type, dtype in _TYPES.items()}
_PIECE, _SLICE = 1 << 20, 1 << 16
_LARGEST_LABEL = int(np.iinfo(np.int32).max)  # the services hold labels as int32


def image_raster(image: NDArray[Any]) -> RasterMessage:
    """An image of one channel, (H, W) uint8 or uint16, as a raster. Raises InvalidInputError for any other."""
    is_typed = image.dtype.kind == "u" and image.dtype.itemsize <= 2  # in any byte order
    if image.ndim != 2 or image.size == 0 or not is_typed:
        raise InvalidInputError(
            f"expected an image of shape (H, W), uint8 or uint16; got shape {image.shape} {image.dtype}; choose one "
            "channel and one plane"
        )
    return pack({"image": image})


def segmentation_raster(parts: Mapping[str, NDArray[Any]]) -> RasterMessage:
    """Label maps and the wound as a raster.

    parts: `cells` and `nuclei` (H, W) of whole numbers from 0, `wound` (H, W) bool; at least one, all of one shape.

    >>> cells = np.array([[0, 7, 7], [0, 0, 7]])
    >>> planes_of(segmentation_raster({"cells": cells}))["cells"]
    array([[0, 7, 7],
           [0, 0, 7]], dtype=uint16)
    """
    wrong = [name for name in parts if name not in PARTS]
    if wrong or not parts:
        raise InvalidInputError(f"expected some of {', '.join(PARTS)}; got {', '.join(wrong) or 'none'}")
    first = next(iter(parts.values()))
    if len({array.shape for array in parts.values()}) > 1 or first.ndim != 2 or first.size == 0:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in parts.items())
        raise InvalidInputError(f"expected parts of one shape (H, W); got {shapes}")
    if "wound" in parts and parts["wound"].dtype != np.bool_:
        raise InvalidInputError(f"expected wound as bool; got {parts['wound'].dtype}")
    return pack({name: parts[name] for name in PARTS if name in parts})


def pack(planes: Mapping[str, NDArray[Any]]) -> RasterMessage:
    """Planes by name, (H, W) each and of one size, as a raster of the smallest type that holds them all.

    bool becomes 0 and 1. Raises InvalidInputError for numbers that are not whole, are below 0, or, unless uint32, are
    above 2**31 - 1.
    """
    dtype = np.result_type(*(_smallest(name, plane) for name, plane in planes.items())).newbyteorder("<")
    height, width = next(iter(planes.values())).shape
    packer = zlib.compressobj(level=1)  # label maps shrink 20-fold even so, and noise does not at any level
    samples = b"".join(packer.compress(np.ascontiguousarray(plane, dtype).tobytes()) for plane in planes.values())
    return RasterMessage(
        height_px=height,
        width_px=width,
        sample_type=_SAMPLE_TYPES[dtype],
        channels=list(planes),
        zlib_samples=samples + packer.flush(),
    )


def sample_dtype(raster: RasterMessage) -> np.dtype[Any]:
    """The dtype of a raster's samples as they travel. Raises ValueError for a type that this version does not know."""
    if raster.sample_type not in _TYPES:
        raise ValueError(f"expected a raster of uint8, uint16 or uint32, got sample type {raster.sample_type}")
    return _TYPES[raster.sample_type]


def samples_of(raster: RasterMessage) -> NDArray[Any]:
    """The samples, (C, H, W) in the byte order of the wire. Raises ValueError for a raster that contradicts itself."""
    expected = _samples_size(raster)
    samples, filled = bytearray(), 0
    for piece in sample_bytes(raster):
        samples = samples or bytearray(expected)  # not before a first piece is there: the header may promise anything
        samples[filled : filled + len(piece)] = piece
        filled += len(piece)
    return np.frombuffer(samples, sample_dtype(raster)).reshape(len(raster.channels), raster.height_px, raster.width_px)


def sample_bytes(raster: RasterMessage) -> Iterator[bytes]:
    """The samples' bytes, in pieces of at most 1 MiB and never more than the header announces. Raises as samples_of."""
    expected, size, stream = _samples_size(raster), 0, zlib.decompressobj()
    try:
        # In slices, since zlib copies the unused input for every piece.
        for start in range(0, len(raster.zlib_samples), _SLICE):
            rest = raster.zlib_samples[start : start + _SLICE]
            while piece := stream.decompress(rest, _PIECE):
                size, rest = size + len(piece), stream.unconsumed_tail
                if size > expected:
                    raise ValueError(f"{_announced(expected)}, got more than {expected}")
                yield piece
    except zlib.error as error:
        raise ValueError(f"expected samples compressed by zlib (RFC 1950), got other bytes ({error})") from None
    if size < expected:
        raise ValueError(f"{_announced(expected)}, got {size}")
    if not stream.eof:
        raise ValueError(f"{_announced(expected)}, got them in a zlib stream that breaks off before its end")
    if stream.unused_data:
        raise ValueError(f"{_announced(expected)}, got more behind them")


def _samples_size(raster: RasterMessage) -> int:
    dtype, names = sample_dtype(raster), list(raster.channels)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"expected a raster with different channel names, got {names[:8]}")
    return len(names) * raster.height_px * raster.width_px * dtype.itemsize


def _announced(expected: int) -> str:
    return f"expected {expected} bytes of samples, as the raster's header says"


def planes_of(raster: RasterMessage) -> dict[str, NDArray[Any]]:
    """The planes by name, each (H, W) of the raster's type. Raises ValueError as samples_of.

    >>> planes_of(image_raster(np.array([[0, 9]], np.uint8)))
    {'image': array([[0, 9]], dtype=uint8)}
    """
    samples = samples_of(raster)
    native = samples.dtype.newbyteorder("=")
    return {name: plane.astype(native) for name, plane in zip(raster.channels, samples, strict=True)}


def _smallest(name: str, plane: NDArray[Any]) -> np.dtype[Any]:
    """The type that a plane needs: 8 bit for bool, its own for uint8 to uint32, else by its largest number."""
    if plane.dtype == np.bool_:
        return np.dtype(np.uint8)
    if plane.dtype.kind == "u" and plane.dtype.itemsize <= 4:
        return plane.dtype.newbyteorder("=")
    if plane.dtype.kind not in "ui" or (plane.size and int(plane.min()) < 0):
        least = f" from {plane.min()}" if plane.size else ""
        raise InvalidInputError(f"expected {name} as whole numbers from 0; got {plane.dtype}{least}")
    largest = int(plane.max(initial=0))
    if largest > _LARGEST_LABEL:
        raise InvalidInputError(f"expected labels of at most {_LARGEST_LABEL}; got {largest}: number them anew from 1")
    return np.dtype(np.uint16 if largest < 2**16 else np.uint32)
