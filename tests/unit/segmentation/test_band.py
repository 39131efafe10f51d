from __future__ import annotations

import numpy as np
import pytest

from services.segmentation.band import band_of, scratch_of
from services.segmentation.wound import find_cell_free, find_wound
from tests.support.wounds import band, sparse


@pytest.mark.parametrize("lying", [False, True])
@pytest.mark.parametrize("tilt", [-25.0, -8.0, 0.0, 25.0])
def test_a_band_is_a_scratch_however_it_is_tilted(tilt: float, lying: bool) -> None:
    mask = band(80, tilt, (400, 400))
    mask = mask.T.copy() if lying else mask
    found = band_of(mask)
    assert found is not None and found.lying is lying
    assert found.tilt_degrees == pytest.approx(tilt, abs=0.5)
    assert np.array_equal(scratch_of(mask), mask)


def test_a_ragged_band_that_narrows_is_a_scratch() -> None:
    assert band_of(band(60, 5.0, roughness=15)) is not None


def test_ground_with_cells_on_one_side_only_is_no_scratch() -> None:
    mask = np.zeros((200, 300), np.bool_)
    mask[:, 180:] = True
    assert not scratch_of(mask).any()


def test_a_band_that_ends_within_the_image_is_no_scratch() -> None:
    mask = band(80)
    mask[-20:] = False
    assert not scratch_of(mask).any()


def test_a_crooked_strait_is_no_scratch() -> None:
    rows, columns = np.mgrid[:300, :500]
    assert not scratch_of(np.abs(columns - 250 - 150 * np.sin(rows / 30)) < 30).any()


def test_of_two_bands_the_larger_one_is_the_scratch_and_holes_are_filled() -> None:
    mask = np.zeros((200, 300), np.bool_)
    mask[:, 30:60] = mask[:, 120:220] = True
    expected = mask.copy()
    expected[:, 30:60] = False
    mask[90:110, 150:170] = False
    assert np.array_equal(scratch_of(mask), expected)


@pytest.mark.parametrize("seed", range(5))
def test_ground_between_sparse_cells_is_no_wound_but_free_of_cells(seed: int) -> None:
    image = sparse(seed)
    assert not find_wound(image).any()
    assert find_cell_free(image).mean() > 0.3
