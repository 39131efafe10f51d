"""A scratch assay: its wound by texture, and the cells beside and in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.labels import Segmentation
from services.segmentation.cells import find_cells
from services.segmentation.wound import find_wound


def find_scratch(image: NDArray[np.uint8] | NDArray[np.uint16]) -> Segmentation:
    """Cells and wound, which share no pixel: cells in the wound, those that migrate or float, are cut out of it.

    So did the original wound-healing pipeline (docs/method.md, Wound zone).
    image: (H, W). Returns a Segmentation with cells and wound.
    """
    cells, wound = find_cells(image), find_wound(image)
    return Segmentation(cells=cells, wound=wound & (cells == 0))
