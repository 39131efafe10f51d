"""GeoJSON (RFC 7946) as QuPath and others export objects: polygons in pixels of the full image."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from biosynth.contract import PARTS

from services.common.errors import InvalidSegmentation
from services.common.imaging.masks.outlined import Outlined, Ring

_NUMBER = re.compile(r"[0-9]{1,9}")
_AREAS = ("Polygon", "MultiPolygon")
# Classes as people name them, in the singular too; QuPath's `Nucleus: Positive` is a nucleus.
_PART_OF = {**{part: part for part in PARTS}, "cell": "cells", "nucleus": "nuclei"}


def read_geojson(data: bytes, part: str) -> tuple[list[Outlined], tuple[str, ...]]:
    """The objects of a GeoJSON file, and notes on what was left out.

    part: where classes are named cells, nuclei and wound, as biosynth writes them, or cell and nucleus, those of this
    part are taken; of QuPath's cells, `nuclei` takes the nucleus, else the cell's outline. Where there are detections
    or cells, annotations are the regions around them, and left out. Names that are numbers unlike each other become the
    labels. Raises InvalidSegmentation for anything else.
    """
    features, notes = _of_part([_feature(one) for one in _listed(_parsed(data))], part)
    kinds = [_kind(feature) for feature in features]
    is_around = [kind == "annotation" and bool({"detection", "cell"} & set(kinds)) for kind in kinds]
    kept = [(one, _geometry(one, part)) for one, around in zip(features, is_around, strict=True) if not around]
    areas = [(feature, geometry) for feature, geometry in kept if geometry["type"] in _AREAS]
    if any(is_around):
        notes.append("annotations around detections: left out")
    if others := {geometry["type"] for _, geometry in kept} - set(_AREAS):
        notes.append(f"shapes without an area ({', '.join(sorted(others))}): left out")
    if not areas:
        raise InvalidSegmentation("expected GeoJSON with polygons, an object each; got none; export the objects")
    numbers = _numbers([feature for feature, _ in areas])
    outlined = [
        Outlined(f"feature {place}", _rings(geometry), number)
        for place, ((_, geometry), number) in enumerate(zip(areas, numbers, strict=True), 1)
    ]
    return outlined, tuple(notes)


def _of_part(features: Sequence[dict[str, Any]], part: str) -> tuple[Sequence[dict[str, Any]], list[str]]:
    """Those of a part, where classes say parts, and a note on those of no part."""
    classes = [_class(feature) for feature in features]
    parts = [_PART_OF.get(name.partition(":")[0].strip().lower()) for name in classes]
    if not any(parts):
        return features, []
    kept = [
        one
        for one, its in zip(features, parts, strict=True)
        if its == part or (part == "nuclei" and its == "cells" and _nucleus(one))
    ]
    if not kept:
        raise InvalidSegmentation(f"expected {part} in GeoJSON; its classes are {', '.join(sorted(set(classes)))}")
    others = sorted({name or "none" for name, its in zip(classes, parts, strict=True) if its is None})
    return kept, [f"of other classes ({', '.join(others)}): left out"] if others else []


def _class(feature: dict[str, Any]) -> str:
    told = _properties(feature).get("classification")
    return str(told.get("name", "")) if isinstance(told, dict) else ""


def _numbers(features: Sequence[dict[str, Any]]) -> list[int]:
    """The labels that features are named by; 0 for all where names are something else."""
    names = [str(_properties(feature).get("name", "")) for feature in features]
    numbers = [int(name) if _NUMBER.fullmatch(name) else 0 for name in names]
    return numbers if all(numbers) and len(set(numbers)) == len(numbers) else [0] * len(numbers)


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:  # ValueError: also of bytes that are no text
        raise InvalidSegmentation(f"expected GeoJSON; got text that is none ({error}); export it again") from error


def _listed(body: Any) -> Sequence[Any]:
    """The features of a collection, of a plain list as QuPath writes it, or the only one."""
    if isinstance(body, dict) and body.get("type") == "FeatureCollection":
        body = body.get("features")
    if isinstance(body, dict):
        body = [body]
    if not isinstance(body, list):
        raise InvalidSegmentation("expected GeoJSON with a list of features; got something else; export it again")
    return body


def _feature(one: Any) -> dict[str, Any]:
    if not isinstance(one, dict) or one.get("type") != "Feature" or not isinstance(one.get("geometry"), dict):
        raise InvalidSegmentation(f"expected features with a geometry in GeoJSON; got {one!r:.80}")
    return one


def _kind(feature: dict[str, Any]) -> str:
    return str(_properties(feature).get("objectType", ""))


def _properties(feature: dict[str, Any]) -> dict[str, Any]:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def _geometry(feature: dict[str, Any], part: str) -> dict[str, Any]:
    geometry: dict[str, Any] = (_nucleus(feature) if part == "nuclei" else None) or feature["geometry"]
    if not isinstance(geometry.get("type"), str):
        raise InvalidSegmentation(f"expected a geometry with a type in GeoJSON; got {geometry!r:.80}")
    return geometry


def _nucleus(feature: dict[str, Any]) -> dict[str, Any] | None:
    """Of a QuPath cell, its nucleus."""
    nucleus = feature.get("nucleusGeometry")
    return nucleus if isinstance(nucleus, dict) else None


def _rings(geometry: dict[str, Any]) -> list[Ring]:
    polygons = geometry.get("coordinates")
    if geometry["type"] == "Polygon":
        polygons = [polygons]
    try:
        rings = [np.array([point[:2] for point in ring], np.float64) for polygon in polygons or () for ring in polygon]
    except (TypeError, ValueError) as error:
        raise InvalidSegmentation(f"expected rings of x and y in GeoJSON; got other coordinates ({error})") from error
    if not rings or any(ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3 for ring in rings):
        raise InvalidSegmentation("expected rings of at least three points in GeoJSON; got fewer")
    return rings
