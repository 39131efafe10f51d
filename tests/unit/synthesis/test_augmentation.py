"""Masks become other masks: what stays the same, and what does not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.synthesis.augmentation import augmented, draw_augmentation
from services.synthesis.elastic import Elastic, draw_elastic, source_pixels
from services.synthesis.placement import replaced
from services.synthesis.truth import Truth
from tests.support.label_maps import discs, touching

SEEDS = range(12)


def sizes(labels: NDArray[np.int32]) -> dict[int, int]:
    values, counts = np.unique(labels[labels > 0], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_replaced_objects_touch_what_they_touched_and_nothing_else(seed: int) -> None:
    labels = discs(160, 200, 14, seed)
    moved, told = replaced(Truth(labels), np.random.default_rng(seed))
    assert touching(moved.labels) == touching(labels)
    assert sizes(moved.labels) == sizes(labels)
    assert told.objects_moved >= told.clusters_moved > 0
    assert (moved.labels != labels).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_objects_at_the_edge_or_the_wound_stay_and_none_moves_into_the_wound(seed: int) -> None:
    labels, wound = discs(160, 200, 14, seed), np.zeros((160, 200), np.bool_)
    wound[:, 90:110] = labels[:, 90:110] == 0
    moved = replaced(Truth(labels, wound), np.random.default_rng(seed))[0]
    assert not (moved.labels[wound] > 0).any()
    near = cv2.dilate(wound.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    fixed = {other for edge, other in touching(labels) if edge == -1} | set(np.unique(labels[near])) - {0}
    assert fixed
    for label in fixed:
        np.testing.assert_array_equal(moved.labels == label, labels == label)


def test_a_field_without_room_stays_as_it_is() -> None:
    labels = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((8, 8), np.int32)).astype(np.int32)
    moved, told = replaced(Truth(labels), np.random.default_rng(0))
    np.testing.assert_array_equal(moved.labels, labels)
    assert (told.clusters, told.clusters_moved) == (1, 0)


def test_an_object_in_two_pieces_stays_whole() -> None:
    labels = np.zeros((60, 60), np.int32)
    labels[10:14, 10:14] = labels[40:44, 40:44] = 3
    labels[25:30, 25:30] = 4
    moved, told = replaced(Truth(labels), np.random.default_rng(0))
    np.testing.assert_array_equal(moved.labels == 3, labels == 3)
    assert told.objects_moved == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_an_elastic_deformation_tears_no_object_and_keeps_the_frame(seed: int) -> None:
    labels = np.zeros((180, 240), np.int32)
    for label, (top, left) in enumerate(np.ndindex(5, 7), start=1):
        cv2.circle(labels, (18 + 34 * left, 18 + 36 * top), 9, label, -1)
    rows, columns = source_pixels(labels.shape, draw_elastic(np.random.default_rng(seed)))
    bent = labels[rows, columns]
    assert (bent != labels).any()
    for label in range(1, 36):
        assert cv2.connectedComponents((bent == label).astype(np.uint8))[0] == 2, label
    assert (rows[[0, -1]] == [[0], [179]]).all() and (columns[:, [0, -1]] == [0, 239]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2)])
def test_tiny_masks_are_augmented_too(shape: tuple[int, int]) -> None:
    truth = Truth(np.ones(shape, np.int32))
    assert source_pixels(shape, Elastic(40.0, 4.0, 0))[0].shape == shape
    for seed in SEEDS:
        assert augmented(truth, draw_augmentation(seed))[0].objects == 1


def test_an_augmentation_is_the_same_for_one_seed_never_nothing_and_moves_the_wound_alike() -> None:
    labels = discs(96, 128, 8, 1)
    truth = Truth(labels, labels == 2)
    kinds = set()
    for seed in range(40):
        (one, told), (again, _) = (augmented(truth, draw_augmentation(seed)) for _ in range(2))
        np.testing.assert_array_equal(one.labels, again.labels)
        assert one.labels.dtype == np.int32 and one.labels.flags.c_contiguous
        assert told["elastic"] or told["quarter_turns"] or told["mirrored"]
        assert one.wound is not None
        if told["replace_seed"] is None:
            np.testing.assert_array_equal(one.wound, one.labels == 2)
        kinds.add((told["elastic"] is not None, told["quarter_turns"], told["mirrored"], "replaced" in told))
    assert len(kinds) > 15
