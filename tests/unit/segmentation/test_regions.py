from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.measure import label
from skimage.morphology import reconstruction

from services.segmentation import regions
from services.segmentation.regions import distance_inside, fill_holes, split_by_depth, tidy, without_small
from tests.unit.segmentation.synthetic import discs

MASKS = arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24))
NUMBERS = arrays.arrays(
    np.int32, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24), elements=st.integers(0, 3)
)


@settings(deadline=None)
@given(NUMBERS, st.integers(1, 6))
def test_tidy_labels_run_from_one_and_each_is_connected_and_large_enough(
    numbers: np.ndarray[tuple[int, int], np.dtype[np.int32]], smallest: int
) -> None:
    labels = tidy(numbers, smallest)
    assert labels.dtype == np.int32
    assert np.array_equal(np.unique(labels[labels > 0]), np.arange(1, labels.max() + 1))
    for number in range(1, int(labels.max()) + 1):
        assert label(labels == number, connectivity=1).max() == 1
        assert (labels == number).sum() >= smallest
        assert np.unique(numbers[labels == number]).size == 1


@settings(deadline=None)
@given(MASKS, st.integers(1, 9))
def test_removing_small_parts_only_removes_and_does_it_once(
    mask: np.ndarray[tuple[int, int], np.dtype[np.bool_]], smallest: int
) -> None:
    kept = without_small(mask, smallest)
    assert not (kept & ~mask).any()
    assert np.array_equal(without_small(kept, smallest), kept)


def test_only_holes_up_to_the_limit_are_filled_and_none_at_the_edge() -> None:
    mask = np.ones((20, 20), bool)
    mask[4:6, 4:6] = mask[10:14, 10:14] = mask[0, 8:10] = False
    filled = fill_holes(mask, 4)
    assert filled[4:6, 4:6].all()
    assert not filled[10:14, 10:14].any()
    assert not filled[0, 8:10].any()
    assert fill_holes(mask)[10:14, 10:14].all()


def test_two_touching_discs_are_cut_at_the_neck_and_one_is_left_whole() -> None:
    mask = discs([(30, 30), (47, 30), (90, 90)], 10) > 0
    parts = split_by_depth(distance_inside(mask), mask, 1.0)
    assert np.array_equal(parts > 0, mask)
    assert parts.max() == 3
    assert parts[30, 30] != parts[30, 47]
    assert np.unique(parts[80:101, 80:101][mask[80:101, 80:101]]).size == 1


def test_a_shallow_neck_does_not_cut() -> None:
    mask = discs([(30, 30), (47, 30)], 10) > 0
    assert split_by_depth(distance_inside(mask), mask, 9.0).max() == 1


def test_a_mask_without_an_outside_is_deep_everywhere() -> None:
    assert (distance_inside(np.ones((3, 4), bool)) == 5.0).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 3, 256]))
def test_dilating_under_a_limit_is_the_same_by_whole_steps_and_by_queue(seed: int, steps: int) -> None:
    limit = np.random.default_rng(seed).integers(0, 9, (17, 23)).astype(np.float32)
    before, regions.WHOLE_STEPS = regions.WHOLE_STEPS, steps
    try:
        found = regions._reconstructed(limit - 2, limit)
    finally:
        regions.WHOLE_STEPS = before
    assert np.array_equal(found, reconstruction(limit - 2, limit))
