"""Arrays as the contract's rasters, and back."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biosynth.errors import InvalidInputError
from biosynth.v1.types_pb2 import Raster as RasterMessage
from biosynth.v1.types_pb2 import SampleType

_TYPES: dict[Any, np.dtype[Any]] = {
    SampleType.SAMPLE_TYPE_UINT8: np.dtype("<u1"),
    SampleType.SAMPLE_TYPE_UINT16: np.dtype("<u2"),
    SampleType.SAMPLE_TYPE_UINT32: np.dtype("<u4"),
}
_SAMPLE_TYPES = {dtype: sample_type for sample_type, dtype in _TYPES.items()}
_LARGEST_LABEL = int(np.iinfo(np.int32).max)  # what the services count with
PARTS = ("cells", "nuclei", "wound")


def image_raster(image: NDArray[Any]) -> RasterMessage:
    """An image of one channel, (H, W) uint8 or uint16, as a raster. Raises InvalidInputError for any other."""
    is_typed = image.dtype.kind == "u" and image.dtype.itemsize <= 2  # in any byte order
    if image.ndim != 2 or image.size == 0 or not is_typed:
        raise InvalidInputError(
            f"expected an image of shape (H, W), uint8 or uint16; got shape {image.shape} {image.dtype}"
        )
    return _pack({"image": image}, image.dtype)


def segmentation_raster(parts: Mapping[str, NDArray[Any]]) -> RasterMessage:
    """Label maps and the wound as a raster.

    parts: `cells` and `nuclei` (H, W) of whole numbers from 0, `wound` (H, W) bool; at least one, all of one shape.
    """
    wrong = [name for name in parts if name not in PARTS]
    if wrong or not parts:
        raise InvalidInputError(f"expected some of {', '.join(PARTS)}; got {', '.join(wrong) or 'none'}")
    first = next(iter(parts.values()))
    if len({array.shape for array in parts.values()}) > 1 or first.ndim != 2 or first.size == 0:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in parts.items())
        raise InvalidInputError(f"expected parts of one shape (H, W); got {shapes}")
    planes = {name: _labels(name, parts[name]) for name in PARTS if name in parts}
    largest = max(int(plane.max()) for plane in planes.values())
    if largest > _LARGEST_LABEL:
        raise InvalidInputError(f"expected labels of at most {_LARGEST_LABEL}; got {largest}: number them anew from 1")
    return _pack(planes, np.dtype(np.uint16 if largest < 2**16 else np.uint32))


def planes_of(raster: RasterMessage) -> dict[str, NDArray[Any]]:
    """The planes by name, each (H, W) of the raster's type. Raises ValueError for a raster that contradicts itself."""
    dtype = _TYPES.get(raster.sample_type)
    if dtype is None:
        raise ValueError(f"expected a raster of uint8, uint16 or uint32 samples; got type {raster.sample_type}")
    shape = (len(raster.channels), raster.height_px, raster.width_px)
    expected = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    # One byte more than expected is asked for, so that a longer stream shows and cannot fill the memory.
    stream = zlib.decompressobj()
    try:
        samples = stream.decompress(raster.zlib_samples, expected + 1)
    except zlib.error as error:
        raise ValueError(f"expected samples compressed by zlib: {error}") from None
    if len(samples) != expected or not stream.eof:
        raise ValueError(f"expected {expected} bytes of samples for {shape} {dtype}; got another number")
    array = np.frombuffer(samples, dtype).reshape(shape)  # (C, H, W)
    return {name: plane.astype(dtype.newbyteorder("=")) for name, plane in zip(raster.channels, array, strict=True)}


def _labels(name: str, plane: NDArray[Any]) -> NDArray[Any]:
    if name == "wound" and plane.dtype != np.bool_:
        raise InvalidInputError(f"expected wound as bool; got {plane.dtype}")
    if plane.dtype.kind not in "bui" or (plane.dtype.kind == "i" and plane.min() < 0):
        raise InvalidInputError(f"expected {name} as whole numbers from 0; got {plane.dtype} from {plane.min()}")
    return plane


def _pack(planes: Mapping[str, NDArray[Any]], dtype: np.dtype[Any]) -> RasterMessage:
    height, width = next(iter(planes.values())).shape
    wire = dtype.newbyteorder("<")
    packer = zlib.compressobj(level=1)  # label maps shrink 20-fold even so, and noise does not at any level
    samples = b"".join(packer.compress(np.ascontiguousarray(plane, wire).tobytes()) for plane in planes.values())
    return RasterMessage(
        height_px=height,
        width_px=width,
        sample_type=_SAMPLE_TYPES[wire],
        channels=list(planes),
        zlib_samples=samples + packer.flush(),
    )
