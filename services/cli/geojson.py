"""Outlines of a segmentation as GeoJSON (RFC 7946) with the properties that QuPath reads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from biosynth.objects import ObjectTable

from services.cli.objects_picture import UNTOLD
from services.cli.overview import WOUND
from services.common.imaging.labels import Segmentation
from services.segmentation.contours import Piece, Ring, pieces_of

# As QuPath shows classes; a cell and its nucleus differ.
_COLOURS = {"cells": (40, 200, 70), "nuclei": UNTOLD, "wound": WOUND}


def geojson(segmentation: Segmentation, objects: ObjectTable) -> bytes:
    """A feature for each cell, nucleus and wound: polygons along pixels' edges, in pixels, from the upper left.

    Cells and nuclei are QuPath's detections, with the table's measures; the wound is an annotation. `name` is the
    label. The class is the part.
    """
    features = [feature for part in segmentation.parts for feature in _features(part, segmentation, objects)]
    return json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":")).encode()


def _features(part: str, segmentation: Segmentation, objects: ObjectTable) -> Iterator[dict[str, Any]]:
    labels, table = getattr(segmentation, part), objects.of_part(part)
    pieces: dict[int, list[Piece]] = {}
    for piece in pieces_of(np.asarray(labels, np.int32)):
        pieces.setdefault(piece.label, []).append(piece)
    sure = table.confidence.astype(np.float64).round(3)  # as in the table
    columns = {name: values.tolist() for name, values in {"confidence": sure, **table.measures}.items()}
    for label, mine in sorted(pieces.items()):
        properties: dict[str, Any] = {
            "objectType": "annotation" if part == "wound" else "detection",
            "name": str(label),
            "classification": {"name": part, "color": _COLOURS[part]},
        }
        if part != "wound":
            measured = ((name, values[label - 1]) for name, values in columns.items())
            properties["measurements"] = {name: value for name, value in measured if math.isfinite(value)}
        yield {"type": "Feature", "geometry": _geometry(mine), "properties": properties}


def _geometry(pieces: Sequence[Piece]) -> dict[str, Any]:
    polygons = [[_closed(piece.outer), *map(_closed, piece.holes)] for piece in pieces]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _closed(ring: Ring) -> list[list[int]]:
    corners: list[list[int]] = ring.tolist()
    return [*corners, corners[0]]
