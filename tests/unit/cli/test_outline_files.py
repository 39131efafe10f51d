"""Outlines for QuPath and for ImageJ."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
from biosynth.objects import ObjectTable
from roifile import ROI_TYPE, ImagejRoi

from services.cli.geojson import geojson
from services.cli.rois import roi_zip
from services.common.imaging.labels import Segmentation
from services.segmentation.objects import objects_of, table_of
from services.segmentation.segmenter import Found
from tests.support.label_maps import discs

CELLS = np.zeros((30, 40), np.int32)
CELLS[2:20, 2:20], CELLS[22:28, 10:30] = 1, 2
CELLS[5:8, 5:8] = 0  # a hole
NUCLEI = np.zeros_like(CELLS)
NUCLEI[10:14, 10:14] = 1
WOUND = np.zeros(CELLS.shape, np.bool_)
WOUND[:, 32:36] = WOUND[0, 38] = True
SEGMENTATION = Segmentation(CELLS, NUCLEI, WOUND)
SHOWN = {"cells": np.full(CELLS.shape, 9, np.uint8), "nuclei": np.full(CELLS.shape, 200, np.uint8)}


def _features(confidence: dict[str, Any]) -> list[dict[str, Any]]:
    table = table_of(objects_of(Found(SEGMENTATION, confidence), SHOWN, 0.5))
    body = json.loads(geojson(SEGMENTATION, ObjectTable.of(table)))
    assert body["type"] == "FeatureCollection"
    found: list[dict[str, Any]] = body["features"]
    return found


def test_geojson_has_what_qupath_reads() -> None:
    features = _features({"cells": np.array([0.5, np.nan], np.float32)})
    kinds = [(one["properties"]["objectType"], one["properties"]["classification"]["name"]) for one in features]
    assert kinds == [("detection", "cells")] * 2 + [("detection", "nuclei"), ("annotation", "wound")]
    first, second, nucleus, wound = features
    assert first["properties"]["measurements"]["area_um2"] == (18 * 18 - 9) / 4
    assert first["properties"]["measurements"]["confidence"] == 0.5
    assert "confidence" not in second["properties"]["measurements"]  # JSON has no NaN
    assert nucleus["properties"]["measurements"]["intensity_mean"] == 200
    assert "measurements" not in wound["properties"]


def test_geojson_draws_holes_pieces_and_closed_rings_along_pixels_edges() -> None:
    first, second, _, wound = _features({})
    assert second["geometry"] == {
        "type": "Polygon",
        "coordinates": [[[10, 22], [30, 22], [30, 28], [10, 28], [10, 22]]],
    }
    outer, hole = first["geometry"]["coordinates"]
    assert len(outer) == len(hole) == 5 and hole[0] == hole[-1] == [5, 5]
    assert wound["geometry"]["type"] == "MultiPolygon" and len(wound["geometry"]["coordinates"]) == 2


def test_a_segmentation_without_objects_has_outlines_of_none() -> None:
    none = Segmentation(nuclei=np.zeros((5, 5), np.int32))
    table = ObjectTable.of(table_of(objects_of(Found(none), {"nuclei": np.zeros((5, 5), np.uint8)})))
    assert json.loads(geojson(none, table))["features"] == []
    assert zipfile.ZipFile(io.BytesIO(roi_zip(none))).namelist() == []


def test_rois_enclose_the_pixels_of_each_object() -> None:
    labels = discs(30, 40, 4)
    with zipfile.ZipFile(io.BytesIO(roi_zip(Segmentation(cells=labels, nuclei=NUCLEI)))) as archive:
        rois = {name: ImagejRoi.frombytes(archive.read(name)) for name in archive.namelist()}
    assert [name for name in rois if name.startswith("nuclei")] == ["nuclei-00001.roi"]
    assert rois["nuclei-00001.roi"].integer_coordinates.tolist() == [[0, 0], [4, 0], [4, 4], [0, 4]]
    for name, roi in rois.items():
        assert roi.roitype is ROI_TYPE.TRACED and f"{roi.name}.roi" == name
        if name.startswith("cells"):
            rows, columns = np.nonzero(labels == int(name[6:11]))
            assert columns.min() <= roi.left < roi.right <= columns.max() + 2
            assert rows.min() <= roi.top < roi.bottom <= rows.max() + 2


def test_equal_outlines_are_equal_bytes() -> None:
    assert roi_zip(SEGMENTATION) == roi_zip(SEGMENTATION)
