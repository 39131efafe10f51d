"""Files of masks as programs of the field save them, made of one label map: inputs by name, good and bad.

`GOOD` and `BAD` are what a table of inputs grows from: each says what it is, the file's ending, and how it is made.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from roifile import ROI_TYPE, ImagejRoi

from services.common.imaging.images import encode_png
from services.common.imaging.labels import Segmentation
from services.common.imaging.ometiff import encode_segmentation

Labels = NDArray[np.int32]


@dataclass(frozen=True)
class MaskFile:
    """make: bytes of the file that says what labels (H, W) say. frame: of a stack, which one holds them."""

    ending: str
    make: Callable[[Labels], bytes]
    frame: int | None = None
    has_size: bool = True  # outlines have none


@dataclass(frozen=True)
class BadFile:
    """says: a part of what it is refused with, as a regular expression."""

    ending: str
    make: Callable[[Labels], bytes]
    says: str


def separate(height: int = 60, width: int = 80) -> Labels:
    """Three objects that touch nowhere, 1 to 3: two squares and one with a hole, in reading order."""
    labels = np.zeros((height, width), np.int32)
    labels[4:16, 6:20], labels[8:30, 40:70], labels[40:52, 10:33] = 1, 2, 3
    labels[14:20, 50:60] = 0
    return labels


def tiff(pixels: NDArray[Any], **options: Any) -> bytes:
    """A TIFF file."""
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def npy(value: Any) -> bytes:
    """A NumPy file; of a dict as Cellpose writes it, pickled."""
    file = io.BytesIO()
    np.save(file, value, allow_pickle=True)
    return file.getvalue()


def cellpose_seg(labels: Labels, **more: Any) -> bytes:
    """What the GUI and `--save_npy` of Cellpose write: a dict with masks among much else."""
    flows = [np.zeros((*labels.shape, 3), np.uint8), None, [np.float32(0.5), -1]]
    kept = {"outlines": labels.copy(), "masks": labels.astype(np.uint16), "chan_choose": [0, 0]}
    return npy(
        {**kept, "flows": flows, "ismanual": np.zeros(3, bool), "filename": "C:\\a.tif", "diameter": 17.5, **more}
    )


def rings(labels: Labels, number: int) -> list[NDArray[Any]]:
    """The outer ring and the holes of an object, along the corners of its pixels: (N, 2) as x, y."""
    # Twice as large, a pixel's corners are pixels, and contours go along them.
    large = np.kron((labels == number).astype(np.uint8), np.ones((2, 2), np.uint8))
    padded = np.pad(large, 1)
    inner, _ = cv2.findContours(padded, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return [ring[:, 0] // 2 for ring in inner]


def roi_zip(labels: Labels, frame_of: Mapping[int, int] | None = None, **more: ImagejRoi) -> bytes:
    """What the ROI Manager saves: a zip with one .roi an object, holes make a composite; and more by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in np.unique(labels[labels > 0]):
            roi = roi_of(labels, int(number))
            roi.position = (frame_of or {}).get(int(number), 0)
            archive.writestr(f"{number:04d}.roi", roi.tobytes())
        for name, roi in more.items():
            archive.writestr(f"{name}.roi", roi.tobytes())
    return file.getvalue()


def roi_of(labels: Labels, number: int) -> ImagejRoi:
    """The ROI of one object."""
    outlines = rings(labels, number)
    if len(outlines) == 1:
        return ImagejRoi.frompoints(outlines[0])
    points = np.concatenate(outlines)
    path = [number for ring in outlines for number in _path(ring)]
    roi = ImagejRoi.frompoints([[0, 0], [1, 0], [1, 1]])
    roi.roitype, roi.integer_coordinates, roi.n_coordinates = ROI_TYPE.RECT, None, 0
    (roi.left, roi.top), (roi.right, roi.bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    roi.multi_coordinates, roi.shape_roi_size = np.array(path, np.float32), len(path)
    return roi


def _path(ring: NDArray[Any]) -> list[float]:
    (x, y), rest = ring[0].tolist(), ring[1:].tolist()
    return [0, x, y, *(number for point in rest for number in (1, *point)), 4]


def line() -> ImagejRoi:
    """A ROI that encloses nothing."""
    roi = ImagejRoi.frompoints([[1, 1], [5, 5]])
    roi.roitype = ROI_TYPE.POLYLINE
    return roi


def feature(labels: Labels, number: int, kind: str = "detection", **more: Any) -> dict[str, Any]:
    """An object as QuPath exports it."""
    coordinates = [[*ring.tolist(), ring[0].tolist()] for ring in rings(labels, number)]
    geometry = {"type": "Polygon", "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": {"objectType": kind}, **more}


def geojson(labels: Labels, *more: dict[str, Any]) -> bytes:
    """All objects as a FeatureCollection."""
    features = [feature(labels, int(number)) for number in np.unique(labels[labels > 0])]
    return json.dumps({"type": "FeatureCollection", "features": [*features, *more]}).encode()


def _tiff_of(kind: str, labels: Labels) -> bytes:
    return tiff(labels.astype(kind))


GOOD: Mapping[str, MaskFile] = {
    "8-bit PNG": MaskFile(".png", lambda labels: encode_png(labels.astype(np.uint8))),
    "16-bit PNG of Cellpose": MaskFile("_cp_masks.png", lambda labels: encode_png(labels.astype(np.uint16))),
    **{
        f"{kind} TIFF": MaskFile(".tif", partial(_tiff_of, kind))
        for kind in ("uint8", "uint16", "int32", "uint32", "int64", "float32", "float64")
    },
    "compressed int32 TIFF of napari": MaskFile(".tif", lambda labels: tiff(labels, compression="zlib")),
    "OME-TIFF of one channel": MaskFile(".ome.tif", lambda labels: tiff(labels, ome=True, metadata={"axes": "YX"})),
    "segmentation of biosynth": MaskFile(".ome.tif", lambda labels: encode_segmentation(Segmentation(nuclei=labels))),
    "bool TIFF": MaskFile(".tif", lambda labels: tiff(labels > 0)),
    "0 and 255 PNG": MaskFile(".png", lambda labels: encode_png((labels > 0).astype(np.uint8) * np.uint8(255))),
    "0 and 1 TIFF": MaskFile(".tif", lambda labels: tiff((labels > 0).astype(np.uint16))),
    "TYX stack": MaskFile(
        ".tif",
        lambda labels: tiff(np.stack([labels * 0, labels, labels[::-1]] * 40), photometric="minisblack"),
        frame=1,
    ),
    "integer .npy": MaskFile(".npy", npy),
    "_seg.npy of Cellpose": MaskFile("_seg.npy", cellpose_seg),
    "ROI zip of ImageJ": MaskFile("_rois.zip", roi_zip, has_size=False),
    "GeoJSON of QuPath": MaskFile(".geojson", geojson, has_size=False),
    "GeoJSON, a list": MaskFile(
        ".geojson", lambda labels: json.dumps(json.loads(geojson(labels))["features"]).encode(), has_size=False
    ),
}


def _probabilities(labels: Labels) -> bytes:
    return tiff((labels > 0) * np.float32(0.75))


def _holed(labels: Labels) -> bytes:
    return tiff(np.where(labels > 0, labels, np.nan).astype(np.float32))


def _elsewhere(labels: Labels) -> bytes:
    body = json.loads(geojson(labels))
    for one in body["features"]:
        one["geometry"]["coordinates"] = [
            [[x * 0.01 + 90, y] for x, y in ring] for ring in one["geometry"]["coordinates"]
        ]
    return json.dumps(body).encode()


def _zip_of(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"no ROI")
    return file.getvalue()


BAD: Mapping[str, BadFile] = {
    "negative labels": BadFile(
        ".tif", lambda labels: tiff(labels - 1), r"labels from 0 .*; got -1; number the objects"
    ),
    "labels over 31 bit": BadFile(".tif", lambda labels: tiff(labels.astype(np.uint32) << 31), "got 2147483648"),
    "fractions": BadFile(".tif", _probabilities, "whole numbers; got 0.75 in row 4, column 6"),
    "NaN background": BadFile(".tif", _holed, "no numbers .NaN. or infinite; set what is no object to 0"),
    "another size": BadFile(".tif", lambda labels: tiff(labels[:-1]), "image's size, 60 x 80 px; got 59 x 80"),
    "stack, none chosen": BadFile(
        ".tif",
        lambda labels: tiff(np.stack([labels] * 70), photometric="minisblack"),
        "a stack of 70 planes; .* --time",
    ),
    "colours": BadFile(
        ".png", lambda labels: encode_png(np.dstack([labels, labels * 3, labels]).astype(np.uint8)), "colours"
    ),
    "JPEG": BadFile(
        ".jpg", lambda labels: cv2.imencode(".jpg", labels.astype(np.uint8))[1].tobytes(), "JPEG, which changes values"
    ),
    "an image": BadFile(
        ".png",
        lambda labels: encode_png(np.random.default_rng(0).integers(1, 255, labels.shape).astype(np.uint8)),
        "picture",
    ),
    "truncated TIFF": BadFile(".tif", lambda labels: tiff(labels)[:-100], "expected a whole TIFF"),
    "truncated PNG": BadFile(".png", lambda labels: encode_png(labels.astype(np.uint8))[:-20], "expected a whole PNG"),
    "truncated .npy": BadFile(".npy", lambda labels: npy(labels)[:-8], "whole NumPy file"),
    "truncated _seg.npy": BadFile("_seg.npy", lambda labels: cellpose_seg(labels)[:-900], "damaged"),
    "_seg.npy without masks": BadFile(
        "_seg.npy", lambda _: npy({"flows": 3}), "other objects; in Cellpose, save the masks"
    ),
    "_seg.npy of objects": BadFile("_seg.npy", lambda _: npy({"masks": [1, 2]}), "something else; in Cellpose, save"),
    "an .npy without rows": BadFile(".npy", lambda labels: npy(labels[:0]), r"numbers; got \(0, 80\) int32"),
    "complex .npy": BadFile(".npy", lambda labels: npy(labels * 1j), r"expected masks as an array of \(H, W\) numbers"),
    "truncated ROI zip": BadFile(".zip", lambda labels: roi_zip(labels)[:-40], "intact ImageJ ROIs"),
    "zip of something": BadFile(".zip", lambda _: _zip_of("a.tif"), r"a zip of ImageJ ROIs \(\*.roi\); got 'a.tif'"),
    "damaged ROI": BadFile(".zip", lambda _: _zip_of("a.roi"), "intact ImageJ ROIs"),
    "ROIs of lines": BadFile(
        ".zip", lambda labels: roi_zip(labels * 0, line=line()), "ROIs that enclose an area; got 1 of other"
    ),
    "truncated GeoJSON": BadFile(".geojson", lambda labels: geojson(labels)[:-30], "text that is none"),
    "GeoJSON of points": BadFile(
        ".geojson",
        lambda _: b'{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}}',
        "polygons, an object each; got none",
    ),
    "GeoJSON of another image": BadFile(
        ".geojson",
        _elsewhere,
        "within the image, 60 x 80 px; 'feature 1' lies at x 90",
    ),
    "other JSON": BadFile(".geojson", lambda _: b'{"a": 1}', "features with a geometry"),
    "a document": BadFile(".tif", lambda _: b"%PDF-1.4", "expected label maps .*; got a file that begins with 25 50"),
    "nothing": BadFile(".tif", lambda _: b"", "got 0 bytes"),
}
