"""The typed client against a real server: arrays in, arrays out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from biosynth import (
    Appearance,
    BiosynthCallError,
    Client,
    InvalidInputError,
    ObjectRef,
    Progress,
    ScalingWarning,
    scaled,
)
from biosynth.raster import planes_of
from biosynth.v1.generation_pb2 import Tiling
from biosynth.v1.pipeline_pb2 import RunResponse, RunResult, Stage, StageProgress
from biosynth.v1.segmentation_pb2 import SegmentRequest, SegmentResponse
from biosynth.v1.types_pb2 import Content, Delivery, Raster

from services.cli.background import in_background
from services.common.serving.config import ServerConfig
from services.common.serving.server import running
from tests.integration.sdk.fakes import CELLS, GENERATED, GREY, IMAGE, RENDERED, SEGMENTED, WOUND, Script, services


def test_segment_sends_an_array_and_returns_labels(client: Client, script: Script) -> None:
    result = client.segment(GREY, segmenter="cells", channel=0)
    (sent,) = script.requests
    np.testing.assert_array_equal(planes_of(sent.image.raster)["image"], GREY)
    assert (sent.segmenter, sent.HasField("channel"), sent.channel) == ("cells", True, 0)
    assert result.cells is not None
    assert result.cells.dtype == np.int32
    np.testing.assert_array_equal(result.cells, CELLS)
    assert result.wound is not None
    np.testing.assert_array_equal(result.wound, WOUND)
    assert result.nuclei is None
    assert list(result.parts) == ["cells", "wound"]
    assert (result.summary.cells, result.segmenter.name, result.cached) == (3, "cells", False)
    assert result.objects.label.tolist() == [1, 2, 70_000] and result.objects.touches_border.all()
    np.testing.assert_array_equal(result.objects.confidence, np.array([0.25, np.nan, 1], np.float32))
    assert (len(result.objects.of_part("nuclei")), result.choice_confidence) == (0, None)
    assert result.warnings == ("it is small",) and result.unsuitable == ("it shows nothing",)
    assert result.objects.measures["solidity"].tolist() == [0.5, 1, 0.75]
    assert result.objects.of_part("nuclei").measures["solidity"].shape == (0,)


def test_other_numbers_are_sent_as_16_bit_and_a_warning_says_how(client: Client, script: Script) -> None:
    shown = GREY / 255 - 0.5
    with pytest.warns(ScalingWarning, match="float64 from -0.5 to 0.5 was scaled to 0 to 65535"):
        client.segment(shown)
    image, note = scaled(shown, (-0.5, 0.5))
    client.segment(image)
    by_default, by_range = (planes_of(request.image.raster)["image"] for request in script.requests)
    np.testing.assert_array_equal(by_default, GREY.astype(np.uint16) * 257)
    np.testing.assert_array_equal(by_range, by_default)
    assert note == "float64 from -0.5 to 0.5 was scaled, -0.5 to 0.5 became 0 to 65535"


def test_channels_and_diameter_are_sent_where_they_are_given(client: Client, script: Script) -> None:
    client.segment(GREY, diameter_px=12.5, nuclei_channel=0, cells_channel=1, pixel_size_um=0.5)
    client.segment(GREY)
    given, bare = script.requests
    assert (given.diameter_px, given.nuclei_channel, given.cells_channel) == (12.5, 0, 1)
    names = ("channel", "diameter_px", "nuclei_channel", "cells_channel", "pixel_size_um")
    assert [given.HasField(name) for name in names] == [False, True, True, True, True]
    assert not any(bare.HasField(name) for name in names)


def test_how_sure_auto_was_is_told(client: Client, script: Script) -> None:
    script.segmented = SegmentResponse()
    script.segmented.CopyFrom(SEGMENTED)
    script.segmented.choice_confidence = 0.75
    assert client.segment(GREY).choice_confidence == 0.75


@pytest.mark.parametrize(
    "table", [b"", b"no,table\r\n", b"part,label,area_px,touches_border,confidence\r\ncells,1\r\n"]
)
def test_a_reply_without_a_table_of_objects_is_an_error(client: Client, script: Script, table: bytes) -> None:
    script.segmented = SegmentResponse()
    script.segmented.CopyFrom(SEGMENTED)
    script.segmented.objects.file = table
    with pytest.raises(BiosynthCallError, match=r"UNEXPECTED_REPLY.*no table of objects"):
        client.segment(GREY)


def test_a_run_is_asked_to_stop_where_the_caller_says(client: Client, script: Script) -> None:
    script.events = [RunResponse(result=RunResult(segmentation=SEGMENTED, reference=RENDERED))]
    outcome = client.run(image=GREY, schema="levels9", until="render", diameter_px=9, nuclei_channel=1, cells_channel=0)
    (sent,) = script.requests
    assert (sent.last_stage, sent.diameter_px, sent.stop_if_unsuitable) == (Stage.STAGE_RENDER, 9, False)
    client.run(image=GREY, stop_if_unsuitable=True, pixel_size_um=0.5)
    assert script.requests[-1].stop_if_unsuitable and script.requests[-1].pixel_size_um == 0.5
    assert (sent.nuclei_channel, sent.cells_channel) == (1, 0)
    assert outcome.reference is not None and outcome.generation is None


def test_files_and_objects_are_sent_as_such(client: Client, script: Script, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG...")
    client.segment(tmp_path / "a.png")
    client.segment(b"whatever the server makes of it")
    client.segment(ObjectRef(key="inputs/a.png"))
    assert [sent.image.WhichOneof("source") for sent in script.requests] == ["file", "file", "object"]
    assert script.requests[0].image.file == b"\x89PNG..."
    assert not script.requests[0].HasField("channel")


def test_a_segmentation_goes_on_to_render_as_it_came(client: Client, script: Script) -> None:
    found = client.segment(GREY)
    result = client.render(
        found, schema="levels7", image=GREY, boundary_thickness_px=3, size=(4, 6), tier_limits=limits()
    )
    sent = script.requests[1]
    planes = planes_of(sent.segmentation.raster)
    np.testing.assert_array_equal(planes["cells"], CELLS)
    np.testing.assert_array_equal(planes["wound"], WOUND)
    assert (sent.schema_name, sent.boundary_thickness_px, sent.height_px, sent.width_px) == ("levels7", 3, 4, 6)
    assert list(sent.tier_limits) == [55.5, 95.0]
    np.testing.assert_array_equal(result.reference, GREY)
    assert (result.schema.name, result.tier_limits, result.level_pixels) == ("levels7", (55.5, 95.0), (1, 3))


def limits() -> tuple[float, float]:
    return 55.5, 95.0


def test_a_schema_of_ones_own_is_sent_as_yaml(client: Client, script: Script) -> None:
    client.render({"cells": CELLS, "wound": WOUND}, schema="name: mine\nlevels: []\n")
    (sent,) = script.requests
    assert sent.WhichOneof("schema") == "schema_yaml"
    assert not sent.HasField("image")


def test_generate_passes_seed_appearance_and_tiling(client: Client, script: Script) -> None:
    result = client.generate(GREY, model="fluo-nuclei", seed=2**63, appearance=Appearance(noise=0.5), tiling="blend")
    (sent,) = script.requests
    assert (sent.seed, sent.tiling, sent.appearance.noise) == (2**63, Tiling.TILING_BLEND, 0.5)
    assert not sent.appearance.HasField("background")
    np.testing.assert_array_equal(result.image, GREY)
    assert (result.model.name, result.engine, result.cached) == ("fluo-nuclei", "onnxruntime-cpu", True)
    assert result.tiling == "blend"


def test_run_reports_progress_and_returns_what_the_run_made(client: Client, script: Script) -> None:
    script.events = [
        RunResponse(progress=StageProgress(stage=Stage.STAGE_SEGMENT, message="segmenting")),
        RunResponse(progress=StageProgress(stage=Stage.STAGE_SEGMENT, done=True, seconds=1.5, cached=True)),
        RunResponse(result=RunResult(segmentation=SEGMENTED, reference=RENDERED, generation=GENERATED)),
    ]
    seen: list[Progress] = []
    outcome = client.run(image=GREY, model="fluo-nuclei", on_progress=seen.append)
    assert seen == [
        Progress("segment", False, 0.0, "segmenting", False),
        Progress("segment", True, 1.5, "", True),
    ]
    assert outcome.segmentation is not None
    assert outcome.reference is not None
    assert outcome.generation is not None
    np.testing.assert_array_equal(outcome.generation.image, GREY)


def test_a_run_from_a_reference_has_no_segmentation(client: Client, script: Script) -> None:
    script.events = [RunResponse(result=RunResult(generation=GENERATED))]
    outcome = client.run(reference=GREY)
    assert script.requests[0].WhichOneof("source") == "reference"
    assert outcome.segmentation is None
    assert outcome.reference is None


def test_a_run_that_ends_without_a_result_is_an_error(client: Client) -> None:
    with pytest.raises(BiosynthCallError, match="UNEXPECTED_REPLY"):
        client.run(image=GREY)


def test_lists_and_one_model(client: Client) -> None:
    assert [segmenter.name for segmenter in client.list_segmenters()] == ["nuclei"]
    assert [schema.name for schema in client.list_schemas()] == ["levels4", "levels7"]
    assert [model.name for model in client.list_models()] == ["fluo-nuclei"]
    assert client.get_model("fluo-nuclei").card == "# Card"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda client: client.run(), "exactly one"),
        (lambda client: client.run(image=GREY, reference=GREY), "exactly one"),
        (lambda client: client.run(image=GREY, until="generate"), "got 'generate'"),
        (lambda client: client.segment("a.png"), "got str"),
        (lambda client: client.segment(np.full((2, 2), np.nan)), "4 NaN or infinite values; give the range"),
        (lambda client: client.segment(GREY.astype(np.complex64)), "complex64"),
        (lambda client: client.segment(np.stack([GREY] * 3)), "choose one channel and one plane"),
        (lambda client: client.generate(GREY.astype(np.int64), model="m"), "int64"),
        (lambda client: client.generate(GREY, model="m", tiling="magic"), "magic"),
        (
            lambda client: client.generate(GREY, model="m", seed=-1),
            r"from 0 to 2\^64 - 1; got -1",
        ),
        (lambda client: client.generate(GREY, model="m", seed=1.5), "got 1.5"),
        (lambda client: client.generate_shard({1: GREY}, model="m"), "expected name as text; got 1"),
        (lambda client: client.render({"cells": CELLS}, schema="a", size=(5.5, 5)), "expected height_px as a whole"),
        (lambda client: client.render({"axons": CELLS}, schema="levels4"), "axons"),
    ],
)
def test_an_unfit_argument_is_refused_before_anything_is_sent(
    client: Client, script: Script, wrong: Any, says: str
) -> None:
    with pytest.raises(InvalidInputError, match=says):
        wrong(client)
    assert script.requests == []


@pytest.mark.parametrize(
    "segmentation",
    [Content(), Content(object=ObjectRef(key="results/a")), Content(raster=Raster(zlib_samples=b"x"))],
)
def test_a_reply_that_breaks_the_contract_is_a_clear_error(
    client: Client, script: Script, segmentation: Content
) -> None:
    script.segmented = SegmentResponse(segmentation=segmentation)
    with pytest.raises(BiosynthCallError, match="UNEXPECTED_REPLY"):
        client.segment(GREY)


def test_the_stubs_take_the_contracts_own_messages(client: Client, script: Script) -> None:
    request = SegmentRequest(image=IMAGE, delivery=Delivery.DELIVERY_RASTER)
    assert client.segmentation.Segment(request).summary.cells == 3


def test_a_unix_socket_serves_as_an_endpoint_and_services_may_live_apart(tmp_path: Path, script: Script) -> None:
    config = ServerConfig(address=f"unix:{tmp_path}/private/b.sock")
    other = Script()
    elsewhere = ServerConfig(address="127.0.0.1:0")
    with (
        in_background(lambda: running(config, services(script)[:1])) as near,
        in_background(lambda: running(elsewhere, services(other)[1:])) as far,
        Client({"segmentation": near.address, "reference": far.address, "generation": far.address}) as client,
    ):
        client.render(client.segment(GREY), schema="levels4")
    assert len(script.requests) == len(other.requests) == 1
