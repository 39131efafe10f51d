from __future__ import annotations

import numpy as np
import pytest

from services.common.imaging.labels import Mask
from services.segmentation.band import band_of
from services.segmentation.wound_geometry import Extent, measure_extent
from tests.support.wounds import band


def _extent(wound: Mask, first: Mask) -> Extent:
    lies = band_of(first)
    assert lies is not None
    return measure_extent(wound, lies)


@pytest.mark.parametrize("lying", [False, True])
@pytest.mark.parametrize("tilt", [-20.0, 0.0, 12.0])
def test_width_is_across_the_band_and_tilt_is_no_roughness(tilt: float, lying: bool) -> None:
    mask = band(80, tilt, (400, 400))
    found = _extent(mask.T.copy() if lying else mask, mask.T.copy() if lying else mask)
    assert found.area_px == mask.sum()
    assert found.mean_width_px == pytest.approx(80, abs=0.5)
    assert found.min_width_px == pytest.approx(80, abs=1.5)
    assert found.left is not None and found.right is not None
    assert max(found.left.roughness_px, found.right.roughness_px) < 0.5
    assert found.right.position_px - found.left.position_px == pytest.approx(80, abs=1)
    assert found.left.position_px == pytest.approx(200 * np.cos(np.radians(tilt)) - 40, abs=1)


def test_roughness_of_a_wave_is_its_amplitude_over_the_root_of_two() -> None:
    found = _extent(mask := band(100, roughness=10), mask)
    assert found.left is not None
    assert found.left.roughness_px == pytest.approx(10 / np.sqrt(2), abs=0.6)


def test_where_a_wound_has_closed_its_width_is_zero_and_it_has_no_front() -> None:
    pieces = band(50)
    pieces[100:200] = False
    found = _extent(pieces, band(100))
    assert found.min_width_px == 0 and found.mean_width_px == pytest.approx(100 / 3)
    assert found.left is not None and found.left.position_px == 225
    assert _extent(np.zeros_like(pieces), band(100)) == Extent(0, 0.0, 0.0, None, None)


def test_the_front_of_a_single_open_row_is_where_it_is() -> None:
    wound = np.zeros((300, 500), np.bool_)
    wound[7, 240:260] = True
    found = _extent(wound, band(100))
    assert found.left is not None and found.right is not None
    assert found.right.position_px == pytest.approx(260)
    assert found.left.position_px == pytest.approx(240) and found.left.roughness_px == 0
