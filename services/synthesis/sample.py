"""One image with its truth, and the files of it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from services.common.imaging.images import encode_png
from services.common.imaging.labels import Labels

_PNG_MOST = int(np.iinfo(np.uint16).max)


@dataclass(frozen=True)
class Sample:
    """image, reference: PNG files. labels: (H, W), what it shows. split: "" for none. line: of the manifest."""

    name: str
    split: str
    image: bytes
    labels: Labels
    reference: bytes
    line: Mapping[str, Any] = field(default_factory=dict)


def mask_array(labels: Labels) -> NDArray[np.uint16] | NDArray[np.uint32]:
    """The labels in the narrower of uint16 and uint32 that holds them.

    >>> mask_array(np.array([[0, 7]])).dtype, mask_array(np.array([[0, 70000]])).dtype
    (dtype('uint16'), dtype('uint32'))
    """
    if int(labels.max(initial=0)) <= _PNG_MOST:
        return labels.astype(np.uint16)
    return labels.astype(np.uint32)


def mask_png_or_tiff(labels: Labels) -> tuple[str, bytes]:
    """A mask's suffix and file: a PNG of 16 bit, or a TIFF where labels need 32."""
    if int(labels.max(initial=0)) <= _PNG_MOST:
        return "png", encode_png(labels.astype(np.uint16))
    return "tif", tiff(labels.astype(np.uint32))


def tiff(pixels: NDArray[Any]) -> bytes:
    """A TIFF of one grey plane, (H, W), by Deflate; the same pixels give the same bytes."""
    file = io.BytesIO()
    options = {"compression": "zlib", "compressionargs": {"level": 6}, "photometric": "minisblack", "maxworkers": 1}
    tifffile.imwrite(file, pixels, software="biosynth", metadata=None, **options)
    return file.getvalue()


def place(file: str, data: bytes, member: str | None = None) -> dict[str, Any]:
    """Where a part of a sample is, for the manifest; member: in that file, a tar."""
    told = {"file": file, "sha256": hashlib.sha256(data).hexdigest()}
    return told if member is None else {**told, "member": member}
