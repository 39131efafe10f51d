from __future__ import annotations

import numpy as np
import pytest

from services.segmentation.wound import find_wound
from tests.unit.segmentation.synthetic import discs, fluorescence, scratch, sheet

WOUND = slice(150, 260)


@pytest.mark.parametrize("polarity", [1, -1])
def test_the_wound_is_the_strip_without_cells(polarity: int) -> None:
    found = find_wound(scratch(WOUND, polarity)[0])
    true = np.zeros((400, 400), bool)
    true[:, WOUND] = True
    assert (found & true).sum() / (found | true).sum() > 0.85


def test_a_lying_wound_is_found_as_a_standing_one_is() -> None:
    image = scratch(WOUND)[0]
    turned = find_wound(np.ascontiguousarray(image.T)).T
    assert (turned == find_wound(image)).mean() > 0.99


def test_a_sheet_of_cells_has_no_wound() -> None:
    assert not find_wound(sheet()).any()


def test_a_gap_that_does_not_span_the_image_is_no_wound() -> None:
    image = sheet()
    bare = np.random.default_rng(4).normal(120, 1.5, image.shape)
    image[:, 150:250] = np.rint(bare[:, 150:250])
    assert find_wound(image).any()
    image[300:] = sheet(seed=1)[300:]
    assert not find_wound(image).any()


def test_bare_ground_alone_is_no_wound() -> None:
    ground = np.random.default_rng(2).normal(120, 2, (300, 300))
    assert not find_wound(np.rint(ground).astype(np.uint8)).any()


def test_a_single_cell_within_the_wound_leaves_it_whole() -> None:
    image, _ = scratch(WOUND)
    image[190:206, 200:216] = image[4:20, 4:20]
    assert find_wound(image)[190:206, 200:216].all()


def test_a_frame_larger_than_the_working_size_comes_back_at_its_own_size() -> None:
    image = np.kron(scratch(WOUND)[0], np.ones((4, 4), np.uint8))
    found = find_wound(image)
    assert found.shape == (1600, 1600)
    assert found[:, 4 * 180 : 4 * 230].mean() > 0.95


def _monolayer(wound: slice | None) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Nuclei on a dark ground, 22 px apart, but for the columns `wound`, where a few lumps of debris float."""
    rng = np.random.default_rng(3)
    centres = [
        (x + int(rng.integers(-3, 4)), y + int(rng.integers(-3, 4)))
        for y in range(8, 600, 22)
        for x in range(8, 600, 22)
        if wound is None or not wound.start - 8 <= x < wound.stop + 8
    ]
    debris = [] if wound is None else [(300, 100), (308, 106), (310, 330), (290, 480), (300, 489)]
    labels = discs(centres + debris, 7, (600, 600))
    return fluorescence(labels, list(rng.uniform(60, 200, len(centres) + len(debris))))


def test_debris_in_the_wound_of_a_fluorescent_monolayer_is_part_of_the_wound() -> None:
    found = find_wound(_monolayer(slice(220, 380)))
    true = np.zeros((600, 600), bool)
    true[:, 220:380] = True
    assert (found & true).sum() / (found | true).sum() > 0.85
    assert found[80:500, 290:310].all()


def test_a_closed_fluorescent_monolayer_has_no_wound() -> None:
    assert not find_wound(_monolayer(None)).any()
