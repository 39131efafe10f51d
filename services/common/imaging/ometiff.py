"""A segmentation as a file: one OME-TIFF with a named channel for each part, which napari and Fiji open."""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import tifffile
from biosynth.contract import PARTS, TIFF
from numpy.typing import NDArray

from services.common.errors import InvalidSegmentation
from services.common.imaging.formats.limits import ImageLimits
from services.common.imaging.formats.tiff import TiffPlanes
from services.common.imaging.labels import Segmentation
from services.common.steps import step

_DEFAULT = ImageLimits()
# The namespace of our UUIDs (RFC 9562, version 5), which derive from the content: equal contents, equal UUIDs.
_NAMESPACE = uuid.UUID("7f5d8d0e-6b1b-5c53-9d43-0c3d8f0b2a51")
_WAY_OUT = "send them as a raster whose planes are named cells or nuclei"
_NUMPY_MAGIC = b"\x93NUMPY"


@step("encode")
def encode_segmentation(
    segmentation: Segmentation, pixel_size_um: tuple[float, float] | None = None, origin: str = ""
) -> bytes:
    """One OME-TIFF (CYX, zlib) of the parts that are there, in the order cells, nuclei, wound; the wound is 0 and 1.

    pixel_size_um: height and width of a pixel. origin: name of what was segmented, which becomes the image's. uint16,
    or uint32 where a label is above 65,535, for an OME series has one dtype. Equal segmentations give equal bytes: the
    file's UUID derives from its content, and neither dates nor library versions are written. Raises InvalidSegmentation
    for negative labels.

    >>> decode_segmentation(encode_segmentation(Segmentation(cells=np.array([[0, 7]], np.int32))))
    Segmentation(cells=array([[0, 7]], dtype=int32), nuclei=None, wound=None)
    """
    return _encode(_stack(segmentation), segmentation.parts, pixel_size_um, origin, level=6)


@step("encode")
def encode_channels(
    planes: NDArray[np.uint8] | NDArray[np.uint16], names: Sequence[str], pixel_size_um: tuple[float, float] | None
) -> bytes:
    """One OME-TIFF (CYX, zlib) of an image's channels, (C, H, W); names: one each, "" where it has none.

    Equal images give equal bytes.
    """
    return _encode(planes, tuple(names), pixel_size_um, "", level=1)  # noise does not shrink at any level


def _encode(
    planes: NDArray[Any], names: tuple[str, ...], pixel_size_um: tuple[float, float] | None, image: str, level: int
) -> bytes:
    told = (names, planes.shape, planes.dtype.str, *((pixel_size_um, image) if pixel_size_um or image else ()))
    digest = hashlib.sha256(repr(told).encode())
    digest.update(np.ascontiguousarray(planes).data)
    metadata: dict[str, Any] = {
        "axes": "CYX",
        "UUID": f"urn:uuid:{uuid.uuid5(_NAMESPACE, digest.hexdigest())}",
        "Creator": "biosynth",
    }
    # White, as OME has it where nothing is said: napari-tiff shows channels without a colour in black.
    metadata["Channel"] = {"Color": [-1] * len(names), **({"Name": list(names)} if any(names) else {})}
    if pixel_size_um is not None:
        for axis, size in zip("YX", pixel_size_um, strict=True):
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    if image:
        metadata["Name"] = image
    file = io.BytesIO()
    with tifffile.TiffWriter(file, ome=True, byteorder="<") as tiff:
        tiff.write(
            planes,
            photometric="minisblack",
            compression="zlib",
            compressionargs={"level": level},
            # Strips of some 64 KiB; the library's own choice may change with its version.
            rowsperstrip=max(1, 65536 // (planes.shape[2] * planes.itemsize)),
            software="biosynth",
            metadata=metadata,
            maxworkers=1,
        )
    return file.getvalue()


@step("decode")
def decode_segmentation(data: bytes, limits: ImageLimits = _DEFAULT) -> Segmentation:
    """The segmentation in an OME-TIFF whose channels are named among cells, nuclei and wound.

    Raises InvalidSegmentation for anything else, InvalidImage or ImageTooLarge for a damaged or too large file.
    """
    limits.check_file(data)
    _refuse_pickles(data)
    if not data.startswith(TIFF):
        raise InvalidSegmentation(
            f"expected an OME-TIFF with channels among {', '.join(PARTS)}, "
            f"got a file that begins with {data[:8].hex(' ')} (hexadecimal)"
        )
    file = TiffPlanes(data, limits)
    names = [plane.name for plane in file.planes]
    if not set(names) <= set(PARTS) or len(set(names)) < len(names):
        came = ", ".join(repr(name) for name in names[:8]) if any(names) else f"{len(names)} without names"
        raise InvalidSegmentation(
            f"expected an OME-TIFF with channels among {', '.join(PARTS)}, got {came}; {_WAY_OUT}"
        )
    return segmentation_from_planes({plane.name: file.read(plane) for plane in file.planes})


def segmentation_from_planes(planes: dict[str, NDArray[Any]]) -> Segmentation:
    """The segmentation of planes by part name, (H, W) unsigned each; any value above 0 is wound.

    Raises InvalidSegmentation for names other than cells, nuclei and wound, and for labels above 2**31 - 1.

    >>> segmentation_from_planes({"wound": np.array([[0, 1, 255]], np.uint8)}).wound
    array([[False,  True,  True]])
    """
    if unknown := sorted(set(planes) - set(PARTS)):
        raise InvalidSegmentation(f"expected channels among {', '.join(PARTS)}, got {', '.join(map(repr, unknown))}")
    labels = {name: _labels(name, plane) for name, plane in planes.items()}
    wound = labels["wound"] > 0 if "wound" in labels else None
    return Segmentation(labels.get("cells"), labels.get("nuclei"), wound)


def _labels(name: str, plane: NDArray[Any]) -> NDArray[np.int32]:
    if plane.dtype.kind not in "ub" or plane.ndim != 2:
        raise InvalidSegmentation(f"expected {name} as one plane of unsigned labels, got {plane.shape} {plane.dtype}")
    if plane.size and int(plane.max()) > np.iinfo(np.int32).max:
        raise InvalidSegmentation(f"expected labels up to {np.iinfo(np.int32).max} in {name}, got {int(plane.max())}")
    return plane.astype(np.int32)


def _stack(segmentation: Segmentation) -> NDArray[np.uint16] | NDArray[np.uint32]:
    """(C, H, W), in the smaller of the two dtypes if it holds every label."""
    parts = [getattr(segmentation, name) for name in segmentation.parts]
    for name, part in zip(segmentation.parts, parts, strict=True):
        if part.size == 0 or int(part.min()) < 0:
            raise InvalidSegmentation(f"expected {name} with pixels and labels from 0, got {part.shape} with less")
    highest = max(int(part.max()) for part in parts)
    dtype = np.uint16 if highest <= np.iinfo(np.uint16).max else np.uint32
    return np.stack([part.astype(dtype) for part in parts])


def _refuse_pickles(data: bytes) -> None:
    """Cellpose's _seg.npy is a pickled dict, which can run any code when it is loaded."""
    if data.startswith((_NUMPY_MAGIC, b"\x80")):
        raise InvalidSegmentation(
            "expected an OME-TIFF, got a NumPy or pickle file, which is never opened; in Cellpose, export the masks as "
            f"_cp_masks.tif or _cp_masks.png and {_WAY_OUT}"
        )
