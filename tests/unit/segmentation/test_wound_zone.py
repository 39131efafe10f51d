from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import BiosynthError
from services.segmentation.wound_zone import wound_zone
from tests.bench.wound_zone import assay, full_kernels


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 9),
    st.integers(1, 12),
    st.floats(0, 0.2),
    st.integers(0, 2**32 - 1),
)
def test_the_zone_is_the_one_of_full_kernels(
    height: int, width: int, erosion: int, dilation: int, density: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    cells = (generator.random((height, width)) < density).astype(np.int32)
    nuclei = (generator.random((height, width)) < density).astype(np.int32)
    expected = full_kernels(cells, nuclei, erosion, dilation)
    assert np.array_equal(wound_zone(cells, nuclei, erosion, dilation), expected)


def test_the_zone_of_an_assay_is_the_strip_without_cells() -> None:
    cells, nuclei = assay((384, 512))
    zone = wound_zone(cells, nuclei, 15, 35)
    assert np.array_equal(zone, full_kernels(cells, nuclei, 15, 35))
    assert zone[:, 256].mean() > 0.9
    assert not zone[cells > 0].any()


def test_a_sheet_without_a_gap_has_no_zone() -> None:
    assert not wound_zone(np.ones((64, 64), np.int32), None, 5, 9).any()


@pytest.mark.parametrize("radii", [(0, 5), (5, 0), (-1, 5)])
def test_a_radius_below_one_is_refused(radii: tuple[int, int]) -> None:
    with pytest.raises(BiosynthError, match="at least 1 px"):
        wound_zone(np.zeros((8, 8), np.int32), None, *radii)


def test_two_sizes_are_refused() -> None:
    with pytest.raises(BiosynthError, match="of one size"):
        wound_zone(np.zeros((8, 8), np.int32), np.zeros((8, 9), np.int32))
