"""A scratch assay: its wound by texture, and the cells beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.labels import Segmentation
from services.segmentation.cells import find_cells
from services.segmentation.regions import tidy
from services.segmentation.wound import find_wound


def find_scratch(image: NDArray[np.uint8] | NDArray[np.uint16]) -> Segmentation:
    """Cells and wound, apart: cells that lie mostly within the wound are dropped, the others are cut out of it.

    image: (H, W). Returns a Segmentation with cells and wound.
    """
    cells, wound = find_cells(image), find_wound(image)
    areas = np.bincount(cells.ravel())
    inside = np.bincount(cells[wound], minlength=areas.size)
    keep = 2 * inside <= areas
    keep[0] = False
    kept = tidy(np.where(keep[cells], cells, 0), 1)
    return Segmentation(cells=kept, wound=wound & (kept == 0))
