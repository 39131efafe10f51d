"""Nuclei and cells from two channels of one image, matched so that each nucleus lies within its cell."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from services.common.imaging.labels import Labels, Segmentation
from services.segmentation.regions import tidy
from services.segmentation.segmenter import Found

VERSION = 1  # of the rule below; it rises when the output changes


@dataclass(frozen=True)
class Paired:
    """What both channels show, and how many of the nuclei that were found lie in no cell and are left out."""

    found: Found
    nuclei: int
    left_out: int

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes it doubtful that these are nuclei and their cells, in sentences."""
        if not self.nuclei:
            return ("no nuclei were found in nuclei_channel: does it show stained nuclei?",)
        if 2 * self.left_out > self.nuclei:
            return (f"{self.left_out} of {self.nuclei} nuclei lie in no cell: are the channels swapped?",)
        return ()


def paired(cells: Found, nuclei: Found) -> Paired:
    """Cells, the nuclei that lie in them, and the wound, which holds neither. docs/method.md, Nuclei in their cells.

    cells: has cells, perhaps a wound; nuclei: has nuclei; both of one size, labels from 1 without gaps. Both are left
    as they are. The diameter is that of the cells.
    """
    whole, found = cells.segmentation.cells, nuclei.segmentation.nuclei
    if whole is None or found is None:
        raise ValueError(f"expected cells and nuclei; got {cells.segmentation.parts} and {nuclei.segmentation.parts}")
    inside, former = within(whole, found)
    wound = None if cells.segmentation.wound is None else cells.segmentation.wound & (whole == 0)
    confidence = {part: values for part, values in cells.confidence.items() if part == "cells"}
    if (told := nuclei.confidence.get("nuclei")) is not None:
        confidence["nuclei"] = told[former - 1]
    count = int(found.max(initial=0))
    both = replace(cells, segmentation=Segmentation(whole, inside, wound), confidence=confidence)
    return Paired(both, count, count - len(former))


def within(cells: Labels, nuclei: Labels) -> tuple[Labels, NDArray[np.intp]]:
    """The nuclei that lie in cells, cut off at their cell's border, and the label that each of them had.

    cells, nuclei: (H, W), nuclei numbered from 1 without gaps. A nucleus belongs to the cell that holds most of it, of
    two that hold as much the one with the lower label; where that is less than half of it, it is left out. Of what lies
    in the cell the largest 4-connected piece stays. Returns (H, W) int32, numbered anew, and (n,) former labels.

    >>> cells = np.array([[1, 1, 1, 2, 2, 0, 0, 0]], np.int32)
    >>> within(cells, np.array([[0, 1, 1, 1, 0, 2, 2, 0]], np.int32))
    (array([[0, 1, 1, 0, 0, 0, 0, 0]], dtype=int32), array([1]))
    """
    home = _homes(cells, nuclei)
    inside = tidy(_largest_pieces(np.where((cells > 0) & (home[nuclei] == cells), nuclei, 0)), 1)
    former = np.zeros(int(inside.max(initial=0)) + 1, np.intp)
    former[inside] = nuclei
    return inside, former[1:]


def _homes(cells: Labels, nuclei: Labels) -> NDArray[np.int64]:
    """For every nucleus label, 0 included, the cell that it belongs to; 0 for none."""
    area = np.bincount(nuclei.ravel())
    both = (nuclei > 0) & (cells > 0)
    cell_count = int(cells.max(initial=0)) + 1
    codes, shared = np.unique(nuclei[both].astype(np.int64) * cell_count + cells[both], return_counts=True)
    nucleus, cell = np.divmod(codes, cell_count)
    # From the smallest share to the largest, and of equal shares the lower cell last: the last to be written stays.
    order = np.lexsort((-cell, shared))
    enough = order[2 * shared[order] >= area[nucleus[order]]]
    home = np.zeros(len(area), np.int64)
    home[nucleus[enough]] = cell[enough]
    return home


def _largest_pieces(labels: Labels) -> Labels:
    """Of each label its largest 4-connected piece; of equal ones the first in reading order. (H, W), as the result."""
    pieces = label(labels, connectivity=1, background=0)  # numbered by first pixel
    sizes = np.bincount(pieces.ravel())
    label_of = np.zeros(len(sizes), np.int64)
    label_of[pieces] = labels
    order = np.lexsort((-np.arange(len(sizes)), sizes))
    largest = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    largest[label_of[order]] = order  # the last to be written stays
    keep = np.zeros(len(sizes), np.bool_)
    keep[largest] = True
    keep[0] = False  # the background, also that of labels that are gone
    return np.where(keep[pieces], labels, 0).astype(np.int32)
