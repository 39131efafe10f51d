"""The original wound-healing pipeline's drawing, label by label: slow, and plainly what docs/method.md says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from services.common.imaging.labels import Labels, Mask, Segmentation

Grey = NDArray[np.uint8]
Boundaries = Callable[[Labels], Mask]


def boundary_of_one(mask: Mask, thickness_px: int = 1) -> Mask:
    """The label minus its 3x3-cross erosion, scipy's defaults: outside the image is not the label."""
    inner: Mask = ndimage.binary_erosion(mask, iterations=thickness_px)
    return mask & ~inner


def boundaries(labels: Labels, thickness_px: int = 1) -> Mask:
    found = np.zeros(labels.shape, np.bool_)
    for label in np.unique(labels[labels > 0]):
        found |= boundary_of_one(labels == label, thickness_px)
    return found


def boundaries_in_boxes(labels: Labels) -> Mask:
    """The same, each label cut out first: outside its box, as outside the image, is not the label."""
    found = np.zeros(labels.shape, np.bool_)
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None:
            found[box] |= boundary_of_one(labels[box] == label)
    return found


def means(cells: Labels, nuclei: Labels, grey: Grey) -> dict[int, float]:
    """Each cell's mean grey over its cytoplasm without nuclei, where it has any."""
    found = {}
    for label in np.unique(cells[cells > 0]):
        mask = (cells == label) & (nuclei == 0)
        if mask.any():
            found[int(label)] = float(grey[mask].mean())
    return found


def limits7(values: list[float]) -> list[float]:
    """The sorted means, cut at indexes n/3 and 2n/3."""
    rising = sorted(values)
    return [rising[len(rising) // 3], rising[2 * len(rising) // 3]]


def limits9(values: list[float]) -> list[float]:
    """Outer limits 55 and 95, and the tertiles of the means in [55, 95) between them."""
    return [55.0, *limits7([value for value in values if 55 <= value < 95]), 95.0]


def tier(value: float, limits: list[float]) -> int:
    return sum(value >= limit for limit in limits)


def draw_levels4(found: Segmentation, dilated: bool = False, of: Boundaries = boundaries) -> NDArray[np.uint8]:
    cells, nuclei, wound = planes(found)
    outline = of(cells)
    if dilated:
        outline = ndimage.binary_dilation(outline, structure=np.ones((3, 3)))
    reference = np.zeros(cells.shape, np.uint8)
    reference[~wound] = 1
    reference[(cells > 0) & ~outline] = 2
    reference[outline & ~wound] = 3
    reference[(nuclei > 0) & ~of(nuclei)] = 4
    return reference


def draw_tiered(
    found: Segmentation, tier_of_pixel: NDArray[np.uint8], tiers: int, of: Boundaries = boundaries
) -> NDArray[np.uint8]:
    """levels7 with three tiers, levels9 with five; tier_of_pixel: (H, W), the tier of the cell that the pixel is in."""
    cells, nuclei, wound = planes(found)
    outline, nucleus_outline = of(cells), of(nuclei)
    reference = np.zeros(cells.shape, np.uint8)
    reference[~wound] = 1
    for number in range(tiers):
        reference[(cells > 0) & ~outline & (tier_of_pixel == number)] = 2 + number
    reference[outline & ~wound] = 2 + tiers
    reference[(nuclei > 0) & ~nucleus_outline] = 3 + tiers
    reference[nucleus_outline] = 4 + tiers
    return reference


def draw_nuclei3(found: Segmentation) -> NDArray[np.uint8]:
    assert found.nuclei is not None
    reference = np.zeros(found.shape, np.uint8)
    reference[found.nuclei > 0] = 1
    reference[boundaries(found.nuclei)] = 2
    return reference


def draw_cells4(found: Segmentation) -> NDArray[np.uint8]:
    assert found.cells is not None
    assert found.wound is not None
    reference = np.where(found.wound, 0, 1).astype(np.uint8)
    reference[found.cells > 0] = 2
    reference[boundaries(found.cells)] = 3
    return reference


def planes(found: Segmentation) -> tuple[Labels, Labels, Mask]:
    assert found.cells is not None
    assert found.nuclei is not None
    assert found.wound is not None
    return found.cells, found.nuclei, found.wound
