"""The wound zone of a scratch assay, as in the original wound-healing pipeline, from cells and nuclei found before."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, InvalidSegmentation
from services.common.imaging.labels import Labels, Mask

EROSION_PX, DILATION_PX = 60, 140
# Beyond this the squares that OpenCV's exact transform adds up no longer fit float32's 24 bits.
MAX_SIDE_PX = 4096


def wound_zone(
    cells: Labels, nuclei: Labels | None = None, erosion_px: int = EROSION_PX, dilation_px: int = DILATION_PX
) -> Mask:
    """Where a disk of `erosion_px` fits between cells and frame, grown by `dilation_px`, with the cells taken out.

    cells, nuclei: (H, W) int32 labels, 0 = background. Returns (H, W) bool. By definition (docs/method.md, Wound
    zone), the free pixels, those without cytoplasm, are eroded and then dilated by disks {x^2 + y^2 <= r^2}; nothing
    outside the image is free. A pixel survives the erosion if its distance to the nearest pixel that is not free
    exceeds r, and is reached by the dilation if its distance to the nearest survivor is at most r. So two exact
    Euclidean distance transforms (Felzenszwalb & Huttenlocher, 2012) replace passes with kernels of 11,000 and 61,000
    pixels.
    Raises InvalidArgument for a radius below 1, InvalidSegmentation for two sizes or a side above 4096 px.

    >>> wound_zone(np.array([[1, 0, 0, 0, 0, 2]] * 4), erosion_px=1, dilation_px=1).astype(int)
    array([[0, 0, 1, 1, 0, 0],
           [0, 1, 1, 1, 1, 0],
           [0, 1, 1, 1, 1, 0],
           [0, 0, 1, 1, 0, 0]])
    """
    if min(erosion_px, dilation_px) < 1:
        raise InvalidArgument(f"expected radii of at least 1 px; got {erosion_px} and {dilation_px}")
    if nuclei is not None and nuclei.shape != cells.shape:
        raise InvalidSegmentation(f"expected cells and nuclei of one size; got {cells.shape} and {nuclei.shape}")
    if max(cells.shape) > MAX_SIDE_PX:
        raise InvalidSegmentation(f"expected sides of at most {MAX_SIDE_PX} px; got {cells.shape}")
    free = cells == 0
    # One pixel of frame is as near as any wider one.
    framed = np.pad(free, 1)
    core = _distance_to_false(framed)[1:-1, 1:-1] > erosion_px
    if not core.any():
        return np.zeros(cells.shape, np.bool_)
    zone: Mask = (_distance_to_false(~core) <= dilation_px) & free
    return zone if nuclei is None else zone & (nuclei == 0)


def _distance_to_false(mask: Mask) -> NDArray[np.float32]:
    distance = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance.astype(np.float32, copy=False)
