"""Convex hulls of objects, counted in pixels as scikit-image counts them (area_convex)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.runs import Runs


def convex_areas(runs: Runs, count: int) -> NDArray[np.float64]:
    """How many pixel centres lie in the convex hull of each object, on its edge included; (count,).

    A pixel counts as the diamond of its four edges' middles. All coordinates are doubled, so that they are whole
    numbers and a centre on an edge is no matter of rounding. Labels run from 1 to `count`.
    """
    if not count:
        return np.zeros(0)
    polygons = [cv2.convexHull(points)[:, 0].astype(np.int64) for points in _diamonds(runs, count)]
    owner = np.repeat(np.arange(count), [len(polygon) for polygon in polygons])
    begin, end = np.concatenate(polygons), np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    return _centres(owner, begin, end, count)


def _diamonds(runs: Runs, count: int) -> list[NDArray[np.int32]]:
    """For each object the points, (n, 2) of x and y doubled, that can lie on its hull: of its rows' first and last."""
    order = np.argsort(runs.label, kind="stable")  # rows still rise within each object
    label, row, start, stop = (values[order] for values in (runs.label, runs.row, runs.start, runs.stop))
    begins = np.flatnonzero((np.diff(label, prepend=0) != 0) | (np.diff(row, prepend=-1) != 0))
    ends = np.append(begins[1:], len(label)) - 1
    y, left, right = 2 * row[begins], 2 * start[begins], 2 * (stop[ends] - 1)
    corners = [left - 1, y, left, y - 1, left, y + 1, right + 1, y, right, y - 1, right, y + 1]
    points = np.stack(corners, 1).astype(np.int32).reshape(-1, 2)  # six for each row of each object
    rows = np.bincount(label[begins], minlength=count + 1)[1:]
    return np.split(points, 6 * np.cumsum(rows)[:-1])


def _centres(
    owner: NDArray[np.intp], begin: NDArray[np.int64], end: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Pixel centres within convex polygons, given by their edges; row by row between the two edges that it crosses."""
    low, high = np.minimum(begin[:, 1], end[:, 1]), np.maximum(begin[:, 1], end[:, 1])
    first = -(-low // 2)  # the first row of pixels that the edge reaches, and how many it crosses
    crossed = np.where(low < high, high // 2 - first + 1, 0)
    edge = np.repeat(np.arange(len(owner)), crossed)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(crossed) - crossed, crossed)
    run, rise = (end - begin)[edge].T
    # Where the edge crosses the row: x / (2 rise), as a fraction of whole numbers.
    x = (begin[edge, 0] * rise + run * (2 * row - begin[edge, 1])) * np.sign(rise)
    rise = 2 * np.abs(rise)
    order = np.lexsort((row, owner[edge]))
    at, behind = owner[edge][order], (-(-x // rise))[order]
    starts = np.flatnonzero((np.diff(at, prepend=-1) != 0) | (np.diff(row[order], prepend=-1) != 0))
    inside = np.maximum.reduceat((x // rise)[order], starts) - np.minimum.reduceat(behind, starts) + 1
    return np.asarray(np.bincount(at[starts], np.maximum(inside, 0), minlength=count), np.float64)
