"""Wounds of time series over real gRPC: the first frame tells where the wound was."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from biosynth import BiosynthCallError, Client

from services.common.storage.folder import FolderStore
from tests.integration.services.conftest import stack
from tests.support.wounds import band, frame, sparse

FIRST, LATER = frame(band(200)), frame(band(60), seed=1)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with stack(FolderStore(tmp_path_factory.mktemp("store")), tmp_path_factory.mktemp("s")) as client:
        yield client


def test_a_later_frame_shows_what_is_open_and_each_first_frame_has_its_own_result(asked: Client) -> None:
    found = asked.segment(LATER, segmenter="wound", first_frame=FIRST)
    assert found.wound is not None and found.wound.sum(axis=1).mean() == pytest.approx(60, abs=8)
    assert asked.segment(LATER, segmenter="wound", first_frame=FIRST).cached
    assert not asked.segment(LATER, segmenter="wound", first_frame=LATER).cached
    assert not asked.segment(LATER, segmenter="wound").cached


def test_cell_free_ground_of_any_shape_is_found_by_that_name(asked: Client) -> None:
    wound, ground = (asked.segment(sparse(), segmenter=name).wound for name in ("wound", "cell-free"))
    assert wound is not None and ground is not None
    assert not wound.any() and ground.mean() > 0.3


@pytest.mark.parametrize(
    ("image", "first", "segmenter", "field", "words"),
    [
        (LATER, FIRST, "scratch", "first_frame", "expected no first_frame for segmenter scratch, or one of cell-free"),
        (LATER, FIRST, "", "first_frame", "expected no first_frame for segmenter auto"),
        (LATER, sparse(), "wound", "image", "expected frames of one size, 512 x 512 px"),
        (sparse(1), sparse(), "wound", "first_frame", "expected a first frame that shows a band"),
        (np.full_like(FIRST, 110), FIRST, "wound", "image", "the frame is blank"),
    ],
)
def test_a_series_that_does_not_fit_is_refused(
    asked: Client, image: np.ndarray, first: np.ndarray, segmenter: str, field: str, words: str
) -> None:
    with pytest.raises(BiosynthCallError, match=words) as refused:
        asked.segment(image, segmenter=segmenter, first_frame=first)
    assert list(refused.value.fields) == [field]


def test_a_segmenter_that_goes_by_no_diameter_refuses_one_in_a_series_too(asked: Client) -> None:
    with pytest.raises(BiosynthCallError, match="expected no diameter for segmenter wound"):
        asked.segment(LATER, segmenter="wound", first_frame=FIRST, diameter_px=20)
