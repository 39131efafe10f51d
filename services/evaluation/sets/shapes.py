"""Shapes of objects, all objects of a field at once."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


def shapes(objects: NDArray[np.intp]) -> NDArray[np.float64]:
    """Area, eccentricity, solidity and distance to the nearest other object.

    objects: (H, W) numbered from 1 without gaps. Returns (n, 4). Area in px. Eccentricity of the ellipse with the same
    second moments, pixels being squares. Solidity: area over that of the convex hull of the squares. Distance between
    centroids in px, NaN for a lone object. Thousands of objects take a fraction of a second: moments by bincount
    instead of object by object.

    >>> shapes(np.array([[1, 1, 0, 2], [1, 1, 0, 2]])).round(2)
    array([[4.  , 0.  , 1.  , 2.5 ],
           [2.  , 0.87, 1.  , 2.5 ]])
    """
    rows, columns = np.nonzero(objects)
    owners = objects[rows, columns] - 1
    areas = np.bincount(owners).astype(np.float64)
    if not areas.size:
        return np.empty((0, 4))
    y, x = (np.bincount(owners, place) / areas for place in (rows, columns))
    dy, dx = rows - y[owners], columns - x[owners]
    yy, xx, xy = (np.bincount(owners, product) / areas for product in (dy * dy, dx * dx, dy * dx))
    hulls = _hull_areas(rows, columns, owners)
    return np.stack([areas, _eccentricity(yy, xx, xy), areas / hulls, _nearest(y, x)], 1)


def _eccentricity(yy: NDArray[np.float64], xx: NDArray[np.float64], xy: NDArray[np.float64]) -> NDArray[np.float64]:
    yy, xx = yy + 1 / 12, xx + 1 / 12  # the variance within a pixel
    centre, half = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
    return np.sqrt(np.maximum(1 - (centre - half) / (centre + half), 0))


def _nearest(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(y) < 2:
        return np.full(len(y), np.nan)
    places = np.stack([y, x], 1)
    distances, _ = cKDTree(places).query(places, k=2)
    return np.asarray(distances[:, 1], np.float64)


def _hull_areas(rows: NDArray[np.intp], columns: NDArray[np.intp], owners: NDArray[np.intp]) -> NDArray[np.float64]:
    """Area of the convex hull of each object's squares; pixels in reading order."""
    key = owners * (int(rows.max()) + 1) + rows
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    ends = np.append(starts[1:], len(order)) - 1
    # Only the first and the last pixel of each row of an object can lie on its hull: four corners a row.
    first, last = order[starts], order[ends]
    top, left, right = rows[first], columns[first], columns[last] + 1
    corners = np.stack([left, top, left, top + 1, right, top, right, top + 1], 1).astype(np.int32).reshape(-1, 2)
    limits = np.flatnonzero(np.diff(owners[first])) + 1
    return np.array([cv2.contourArea(cv2.convexHull(points)) for points in np.split(corners, 4 * limits)])
