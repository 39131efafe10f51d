"""Random segmentations for hypothesis: labels that touch, break apart, skip numbers and lie on the image's edge."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from services.common.imaging.labels import Labels, Mask, Segmentation

shapes = npst.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


def _blown_up(array: NDArray[np.generic], times: int) -> NDArray[np.generic]:
    # Single random pixels have no interior; blocks have.
    return array.repeat(times, axis=0).repeat(times, axis=1)


def labels_of(shape: tuple[int, ...]) -> st.SearchStrategy[Labels]:
    return npst.arrays(np.int32, shape, elements=st.sampled_from([0, 1, 2, 3, 7]))


def masks_of(shape: tuple[int, ...]) -> st.SearchStrategy[Mask]:
    return npst.arrays(np.bool_, shape)


@st.composite
def label_maps(draw: st.DrawFn) -> Labels:
    drawn = draw(labels_of(draw(shapes)))
    return _blown_up(drawn, draw(st.sampled_from([1, 3])))  # type: ignore[return-value]  # repeat keeps the dtype


@st.composite
def segmentations_with_images(draw: st.DrawFn) -> tuple[Segmentation, NDArray[np.uint8]]:
    """All three parts, and an image of their size."""
    shape = draw(shapes)
    cells, nuclei, wound = draw(labels_of(shape)), draw(labels_of(shape)), draw(masks_of(shape))
    times = draw(st.sampled_from([1, 3]))
    image = draw(npst.arrays(np.uint8, shape))
    blown = [_blown_up(plane, times) for plane in (cells, nuclei, wound, image)]
    return Segmentation(*blown[:3]), blown[3]  # type: ignore[arg-type, return-value]  # repeat keeps the dtype
