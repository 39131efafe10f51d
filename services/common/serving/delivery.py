"""Stored results as they go to callers (biosynth.v1.Content); blocking, for worker threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from biosynth.contract import INLINE_BYTES
from biosynth.v1 import types_pb2
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, ObjectTooLarge
from services.common.imaging.images import ImageLimits, decode_image, pixels_announced
from services.common.imaging.ometiff import decode_segmentation
from services.common.serving.raster import encode_raster
from services.common.storage.store import Store, StoredObject

# For files that the services made: their pixels were limited on input, but noise compresses to more than 64 MiB.
_OWN = ImageLimits(max_bytes=1024**3)
# Results are decoded for rasters beside the computations whose memory is reckoned: one at a time, of so many pixels.
_DECODING = threading.BoundedSemaphore(1)
MOST_RASTER_PIXELS = 25_000_000
_SMALL_FILE = 8192  # bytes; too few for many pixels, so such ones need not wait for each other


def check_delivery(delivery: types_pb2.Delivery.ValueType) -> None:
    """Raise InvalidArgument for a delivery that this version does not know; call it before computing anything."""
    if delivery not in types_pb2.Delivery.values():
        raise InvalidArgument(
            f"expected a delivery as object, file or raster, got {int(delivery)}", field="delivery", got=int(delivery)
        )


def deliver(
    store: Store,
    stored: StoredObject,
    delivery: types_pb2.Delivery.ValueType,
    decode: Callable[[bytes], Mapping[str, NDArray[Any]]] | None = None,
) -> types_pb2.Content:
    """A stored result in the way that the caller wants it; `decode` gives a file's planes by name, for rasters.

    A file without planes, such as a table, is a file where a raster is asked for.
    Without a wish it is a file where that fits into a reply, else an object. Raises InvalidArgument for an unknown
    delivery and ObjectTooLarge for more than 16 MiB inside the reply.
    """
    check_delivery(delivery)
    if delivery == types_pb2.DELIVERY_UNSPECIFIED:
        delivery = types_pb2.DELIVERY_FILE if stored.size <= INLINE_BYTES else types_pb2.DELIVERY_OBJECT
    if delivery == types_pb2.DELIVERY_OBJECT:
        return types_pb2.Content(object=types_pb2.ObjectRef(key=stored.key, sha256=stored.sha256))
    if delivery == types_pb2.DELIVERY_FILE or decode is None:
        if stored.size > INLINE_BYTES:
            raise ObjectTooLarge(
                f"expected a result of at most {INLINE_BYTES} bytes, got {stored.size}; ask for DELIVERY_OBJECT",
                field="delivery",
                got=stored.size,
                limit=INLINE_BYTES,
            )
        return types_pb2.Content(file=store.get(stored.key, stored.size))
    with _DECODING if stored.size > _SMALL_FILE else nullcontext():
        return types_pb2.Content(raster=_raster_of(store.get(stored.key, stored.size), decode))


def _raster_of(data: bytes, decode: Callable[[bytes], Mapping[str, NDArray[Any]]]) -> types_pb2.Raster:
    if (pixels := pixels_announced(data, _OWN)) > MOST_RASTER_PIXELS:
        raise ObjectTooLarge(
            f"expected a result of at most {MOST_RASTER_PIXELS} pixels as a raster, got {pixels}; ask for a file or an "
            "object",
            field="delivery",
            got=pixels,
            limit=MOST_RASTER_PIXELS,
        )
    return encode_raster(decode(data))


def image_planes(data: bytes) -> dict[str, NDArray[Any]]:
    """For deliver: the one plane of an image or a reference that a service made."""
    return {"image": decode_image(data, limits=_OWN)}


def segmentation_planes(data: bytes) -> dict[str, NDArray[Any]]:
    """For deliver: the parts of a segmentation that a service made."""
    segmentation = decode_segmentation(data, _OWN)
    return {name: getattr(segmentation, name) for name in segmentation.parts}
