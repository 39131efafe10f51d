"""Images with a channel of stained nuclei, diameters, and runs that stop early, over real gRPC."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from biosynth import BiosynthCallError, Client
from biosynth.results import Progress
from biosynth.v1.segmentation_pb2 import SegmentRequest
from biosynth.v1.types_pb2 import Content

from services.common.imaging.labels import Segmentation
from services.common.storage.folder import FolderStore
from services.segmentation import config
from services.segmentation.builtin import builtin_segmenters
from services.segmentation.segmenter import Found, Image, Segmenter
from tests.integration.services.conftest import stack
from tests.support.pictures import nuclei_picture
from tests.support.two_channels import ome_tiff, two_channels

NUCLEI, PHASE, TRUE = two_channels()
IMAGE = ome_tiff(NUCLEI, PHASE)
BOTH: dict[str, Any] = {"nuclei_channel": 0, "cells_channel": 1}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with stack(FolderStore(tmp_path_factory.mktemp("store")), tmp_path_factory.mktemp("s")) as client:
        yield client


def test_each_nucleus_lies_in_its_cell_and_the_wound_holds_neither(asked: Client) -> None:
    found = asked.segment(IMAGE, **BOTH)
    cells, nuclei, wound = found.cells, found.nuclei, found.wound
    assert cells is not None and nuclei is not None and wound is not None
    assert found.segmenter.name == "scratch"
    assert list(found.segmenter.parts) == list(found.summary.parts) == ["cells", "nuclei", "wound"]
    assert nuclei.max() >= 0.9 * TRUE.max() and found.choice_confidence is None
    assert not any("channel" in warning for warning in found.warnings)
    assert cells[nuclei > 0].all()
    assert all(len(np.unique(cells[nuclei == number])) == 1 for number in range(1, nuclei.max() + 1))
    assert 0.1 < wound.mean() < 0.3 and not wound[(cells > 0) | (nuclei > 0)].any()
    table = found.objects
    assert (len(table.of_part("cells")), len(table.of_part("nuclei"))) == (cells.max(), nuclei.max())
    assert np.array_equal(table.of_part("nuclei").area_px, np.bincount(nuclei.ravel())[1:])
    assert found.summary.at_border == table.touches_border.sum()


def test_asking_again_is_answered_from_the_store_and_other_channels_are_not(asked: Client) -> None:
    asked.segment(IMAGE, **BOTH)
    assert asked.segment(IMAGE, segmenter="auto", **BOTH).cached
    assert not asked.segment(IMAGE, channel=1, segmenter="scratch").cached


def test_a_segmenter_that_looks_for_no_wound_leaves_it_out(asked: Client) -> None:
    found = asked.segment(IMAGE, segmenter="cells", **BOTH)
    assert list(found.parts) == ["cells", "nuclei"] and found.segmenter.name == "cells"


def test_swapped_channels_and_an_empty_one_are_told(asked: Client) -> None:
    # Bare ground in place of the phase contrast: no cells, so that every nucleus lies outside.
    bare = np.random.default_rng(0).normal(120, 1.5, PHASE.shape).astype(np.uint8)
    found = asked.segment(ome_tiff(NUCLEI, bare), **BOTH)
    assert any("are the channels swapped?" in warning for warning in found.warnings)
    found = asked.segment(ome_tiff(np.full_like(PHASE, 10), PHASE), **BOTH)
    assert found.nuclei is not None and not found.nuclei.any() and found.cells is not None and found.cells.any()
    assert any("no nuclei were found" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("options", "field", "message"),
    [
        ({"nuclei_channel": 0}, "cells_channel", "together"),
        ({"cells_channel": 0}, "nuclei_channel", "together"),
        ({**BOTH, "channel": 0}, "channel", "expected no channel beside"),
        ({"nuclei_channel": 1, "cells_channel": 1}, "nuclei_channel", "got 1 twice"),
        ({"nuclei_channel": 0, "cells_channel": 2}, "cells_channel", "channel from 0 to 1"),
        ({"nuclei_channel": 7, "cells_channel": 1}, "nuclei_channel", "channel from 0 to 1"),
        ({**BOTH, "segmenter": "nuclei"}, "segmenter", "a segmenter that finds cells"),
        ({**BOTH, "segmenter": "wound"}, "segmenter", "wound finds wound"),
        ({**BOTH, "diameter_px": 0.5}, "diameter_px", "1 px or more; got 0.5"),
        ({"channel": 0, "diameter_px": -3.0}, "diameter_px", "1 px or more"),
        ({"channel": 0, "diameter_px": math.nan}, "diameter_px", "got nan"),
        ({"channel": 0, "diameter_px": math.inf}, "diameter_px", "got inf"),
        ({"channel": 0, "diameter_px": 529.0}, "diameter_px", "longer side, 528 px; got 529"),
        ({**BOTH, "diameter_px": 529.0}, "diameter_px", "longer side, 528 px; got 529"),
    ],
)
@pytest.mark.parametrize("call", ["segment", "run"])
def test_what_does_not_go_together_is_refused(
    asked: Client, call: str, options: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(BiosynthCallError, match=message) as caught:
        asked.segment(IMAGE, **options) if call == "segment" else asked.run(image=IMAGE, **options)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert list(caught.value.fields) == [field]


def test_without_both_channels_the_answer_says_what_would_help(asked: Client) -> None:
    with pytest.raises(BiosynthCallError, match="nuclei_channel and cells_channel"):
        asked.run(image=PHASE, segmenter="cells", schema="levels9", until="render")


@pytest.mark.parametrize("schema", ["levels4", "levels7", "levels9"])
def test_a_run_that_stops_at_its_reference_needs_no_model(asked: Client, schema: str) -> None:
    seen: list[Progress] = []
    made = asked.run(image=IMAGE, schema=schema, until="render", on_progress=seen.append, **BOTH)
    assert made.generation is None and made.reference is not None and made.segmentation is not None
    assert made.reference.schema.name == schema and made.reference.level_pixels[-1] > 0
    # As by hand: with the channel of the cells as the image, for their brightness.
    by_hand = asked.render(asked.segment(IMAGE, **BOTH), schema=schema, image=IMAGE, channel=1)
    assert np.array_equal(made.reference.reference, by_hand.reference)
    assert made.reference.tier_limits == by_hand.tier_limits
    assert [p.stage for p in seen if p.done] == ["plan", "segment", "render"]


def test_a_run_sorts_cells_by_the_limits_that_it_is_given(asked: Client) -> None:
    limits = (20.0, 40.0, 200.0, 250.0)
    made = asked.run(image=IMAGE, schema="levels9", until="render", tier_limits=limits, **BOTH).reference
    assert made is not None and made.tier_limits == limits
    with pytest.raises(BiosynthCallError, match="expected 4 limits between 5 grey tiers") as caught:
        asked.run(image=IMAGE, schema="levels9", until="render", tier_limits=limits[:2], **BOTH)
    assert list(caught.value.fields) == ["tier_limits"]


def test_a_run_that_stops_at_its_segmentation_has_nothing_else(asked: Client) -> None:
    made = asked.run(image=nuclei_picture(), until="segment")
    assert made.reference is None and made.generation is None
    assert made.segmentation is not None and made.segmentation.segmenter.name == "nuclei"
    wound = asked.run(image=PHASE, segmenter="wound", until="segment").segmentation  # which no schema fits
    assert wound is not None and list(wound.parts) == ["wound"]
    for_schema = asked.run(image=nuclei_picture(), schema="cells4", until="segment").segmentation
    assert for_schema is not None and for_schema.segmenter.name == "scratch"


def test_a_whole_run_of_two_channels_looks_like_the_channel_of_the_cells(asked: Client) -> None:
    made = asked.run(image=IMAGE, **BOTH)
    assert made.generation is not None and made.generation.model.name == "phase-scratch" and made.reference is not None
    by_hand = asked.generate(made.reference.reference, model="phase-scratch", like=IMAGE, like_channel=1)
    assert np.array_equal(made.generation.image, by_hand.image)
    other = asked.generate(made.reference.reference, model="phase-scratch", like=IMAGE, like_channel=0)
    assert not np.array_equal(made.generation.image, other.image)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"until": "render"}, "schema"),
        ({"until": "render", "schema": "levels4", "model": "phase-scratch"}, "model"),
        ({"until": "segment", "model": "phase-scratch", "model_version": "2"}, "model"),
        ({"until": "segment", "model_version": "2"}, "model_version"),
    ],
)
def test_a_run_that_stops_takes_no_model_and_to_draw_needs_a_schema(
    asked: Client, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(BiosynthCallError) as caught:
        asked.run(image=PHASE, **options)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT and list(caught.value.fields) == [field]


@pytest.mark.parametrize(
    "options",
    [{"until": "segment"}, {"diameter_px": 3.0}, {**BOTH}, {"channel": 0}, {"boundary_thickness_px": 2}],
)
def test_a_run_from_a_reference_takes_nothing_that_is_about_images(asked: Client, options: dict[str, Any]) -> None:
    with pytest.raises(BiosynthCallError, match="past segmentation") as caught:
        asked.run(reference=np.zeros((8, 8), np.uint8), model="fluo-nuclei", **options)
    assert list(caught.value.fields) == [{"until": "last_stage"}.get(next(iter(options)), next(iter(options)))]


def test_a_table_comes_as_a_file_beside_whatever_pixels_come_as(asked: Client) -> None:
    answer = asked.segmentation.Segment(SegmentRequest(image=Content(file=IMAGE), **BOTH))
    head, first, *_ = answer.objects.file.decode().split("\r\n")
    assert head.startswith("part,label,area_px,touches_border,confidence,area,") and first.startswith("cells,1,")
    assert not answer.HasField("choice_confidence")


def _sized(image: Image, diameter: float | None) -> Found:
    """The true cells, found by a segmenter that goes by a diameter and says how sure it is."""
    sure = np.linspace(0, 1, int(TRUE.max()), dtype=np.float32)
    return Found(Segmentation(cells=TRUE), {"cells": sure}, diameter or 30.0)


def test_a_diameter_reaches_the_segmenter_of_the_cells_and_confidence_comes_back(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = builtin_segmenters()
    offered["sized"] = Segmenter("sized", 1, ("cells",), "For this test.", _sized, takes_diameter=True)
    monkeypatch.setattr(config, "builtin_segmenters", lambda: offered)
    with stack(FolderStore(tmp_path_factory.mktemp("store")), tmp_path_factory.mktemp("s")) as client:
        found = client.segment(IMAGE, segmenter="sized", diameter_px=25, **BOTH)
        assert found.summary.diameter_px == 25 and found.segmenter.takes_diameter
        assert found.objects.of_part("cells").confidence[[0, -1]].tolist() == [0, 1]
        assert found.objects.of_part("nuclei").confidence.min() > 0
        ordered = client.run(image=IMAGE, segmenter="sized", diameter_px=25, until="segment", **BOTH).segmentation
        assert ordered is not None and ordered.cached
        assert client.segment(IMAGE, segmenter="sized", **BOTH).summary.diameter_px == 30
