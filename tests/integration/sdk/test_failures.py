"""What a user of the client sees when calls go wrong, and which calls are tried again."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
from biosynth import BiosynthCallError, Client, InvalidInputError, Progress, RetryPolicy
from biosynth.v1.evaluation_pb2 import (
    CompareSetsRequest,
    CompareSetsResponse,
    EvaluationProgress,
    EvaluationResult,
)
from biosynth.v1.generation_pb2 import GenerateResponse
from biosynth.v1.pipeline_pb2 import RunRequest, RunResponse, RunResult, Stage, StageProgress
from biosynth.v1.reference_pb2 import RenderRequest, RenderResponse, SimulateRequest, SimulateResponse
from biosynth.v1.segmentation_pb2 import SegmentRequest, SegmentResponse
from biosynth.v1.types_pb2 import Content

from services.cli.background import in_background
from services.common.errors import InvalidImage, Overloaded, StoreFull, StoreUnavailable, UnknownName
from services.common.serving.config import ServerConfig
from services.common.serving.server import Running, running
from tests.integration.sdk.fakes import GENERATED, GREY, Script, services

WORD = "right"


def test_a_domain_error_has_code_message_reason_metadata_and_request_id(
    client: Client, script: Script, waits: list[float]
) -> None:
    script.failures = [InvalidImage("expected 8 or 16 bit, got 32", got="32")]
    with pytest.raises(BiosynthCallError) as caught:
        client.segment(GREY)
    error = caught.value
    assert (error.code, error.message) == (grpc.StatusCode.INVALID_ARGUMENT, "expected 8 or 16 bit, got 32")
    assert (error.reason, error.metadata) == ("INVALID_IMAGE", {"got": "32"})
    assert error.request_id == script.metadata[0]["x-request-id"]
    assert waits == []


def test_passing_failures_are_tried_again_after_the_wait_that_the_server_asks_for(
    client: Client, script: Script, waits: list[float]
) -> None:
    script.failures = [StoreUnavailable("down"), Overloaded("busy")]
    assert client.segment(GREY).summary.cells == 3
    assert waits == [1.0 + 0.5 * 0.25, 1.0 + 0.5 * 0.5]
    assert len({metadata["x-request-id"] for metadata in script.metadata}) == 1


def test_what_does_not_pass_in_the_end_is_the_last_error(client: Client, script: Script, waits: list[float]) -> None:
    script.failures = [Overloaded(f"busy {attempt}") for attempt in range(9)]
    with pytest.raises(BiosynthCallError, match="RESOURCE_EXHAUSTED OVERLOADED: busy 3"):
        client.segment(GREY)
    assert len(waits) == 3


def test_a_full_store_is_not_tried_again_though_its_status_is_that_of_overload(
    client: Client, script: Script, waits: list[float]
) -> None:
    script.failures = [StoreFull("no room left")]
    with pytest.raises(BiosynthCallError, match="STORE_FULL"):
        client.segment(GREY)
    assert waits == []


def test_a_stream_that_may_not_repeat_begins_again_only_before_its_first_message(
    client: Client, script: Script, waits: list[float]
) -> None:
    script.failures = [StoreUnavailable("down")]
    script.frames = [SimulateResponse()]
    assert len(list(client.reference.Simulate(SimulateRequest()))) == 1
    assert len(waits) == 1
    script.frames = [SimulateResponse(), StoreUnavailable("down again"), SimulateResponse()]
    with pytest.raises(BiosynthCallError, match="down again"):
        list(client.reference.Simulate(SimulateRequest()))
    assert len(waits) == 1


def test_a_run_begins_again_after_its_progress_as_well(client: Client, script: Script, waits: list[float]) -> None:
    began = RunResponse(progress=StageProgress(stage=Stage.STAGE_GENERATE))
    done = RunResponse(result=RunResult(generation=GENERATED))
    script.rounds = [[began, Overloaded("busy")], [began, began, StoreUnavailable("down")], [began, done]]
    told: list[Progress] = []
    assert client.run(reference=GREY, on_progress=told.append).generation is not None
    assert [progress.stage for progress in told] == ["generate"] * 4
    assert waits == [1.0 + 0.5 * 0.25, 1.0 + 0.5 * 0.5]


def test_a_comparison_of_sets_begins_again_after_its_progress_too(
    client: Client, script: Script, waits: list[float]
) -> None:
    began = CompareSetsResponse(progress=EvaluationProgress(stage="texture"))
    done = CompareSetsResponse(result=EvaluationResult(cached=True))
    script.comparisons = [[began, StoreUnavailable("down")], [began, done]]
    assert list(client.evaluation.CompareSets(CompareSetsRequest())) == [began, began, done]
    assert len(waits) == 1


def test_a_run_that_fails_for_good_after_its_progress_is_not_repeated(
    client: Client, script: Script, waits: list[float]
) -> None:
    script.events = [RunResponse(progress=StageProgress()), InvalidImage("no image")]
    with pytest.raises(BiosynthCallError, match="no image"):
        client.run(reference=GREY)
    assert waits == []


def test_a_run_has_no_more_retries_than_any_call(client: Client, script: Script, waits: list[float]) -> None:
    script.events = [RunResponse(progress=StageProgress()), Overloaded("busy")]
    with pytest.raises(BiosynthCallError, match="OVERLOADED"):
        client.run(reference=GREY)
    assert len(waits) == 3


def test_two_full_parts_fit_into_a_request_and_four_into_a_reply(client: Client, script: Script) -> None:
    full = Content(file=bytes(16 * 2**20))
    request = RenderRequest(segmentation=full, image=full, schema_name="levels7")
    assert client.reference.Render(request).schema.name == "levels7"
    script.events = [
        RunResponse(
            result=RunResult(
                segmentation=SegmentResponse(segmentation=full),
                reference=RenderResponse(reference=full, grey=full),
                generation=GenerateResponse(image=full),
            )
        )
    ]
    (reply,) = client.pipeline.Run(RunRequest())
    assert reply.ByteSize() > 64 * 2**20


def test_a_long_word_of_the_callers_comes_back_cut_with_its_error(
    client: Client, script: Script, waits: list[float]
) -> None:
    script.failures = [UnknownName(f"no model {'x' * 100_000}", name="x" * 100_000)]
    with pytest.raises(BiosynthCallError, match=r"NOT_FOUND UNKNOWN_NAME: no model x+…$"):
        client.segment(GREY)
    assert waits == []


def test_a_run_whose_progress_callback_fails_is_cancelled_at_the_server(
    client: Client, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    script.events = [RunResponse(progress=StageProgress())] * 5
    script.pause_seconds = 5

    def stops(progress: Progress) -> None:
        raise KeyboardInterrupt

    with caplog.at_level("INFO"), pytest.raises(KeyboardInterrupt):
        client.run(reference=GREY, on_progress=stops)
    assert script.ended.wait(3)
    assert "unexpected error" not in caplog.text


def test_a_run_that_succeeded_is_not_left_before_its_end(client: Client, script: Script) -> None:
    """Once the client left at the result, and the server counted the run as cancelled."""
    script.events = [RunResponse(result=RunResult(generation=GENERATED))]
    script.pause_seconds = 0.3
    assert client.run(reference=GREY).generation is not None
    assert not script.ended.wait(0.5)


def test_a_deadline_bounds_the_call_with_all_its_retries(server: Running, script: Script) -> None:
    script.failures = [Overloaded("busy") for _ in range(99)]
    begin = time.monotonic()
    with (
        Client(server.address, timeout_s=1.5, retries=50) as client,
        pytest.raises(BiosynthCallError, match="OVERLOADED"),
    ):
        client.segment(GREY)
    assert time.monotonic() - begin < 3


def test_a_message_over_the_servers_limit_says_so_and_is_sent_once(script: Script, waits: list[float]) -> None:
    config = ServerConfig(address="127.0.0.1:0", max_message_bytes=2**20)
    policy = RetryPolicy(sleep=waits.append)
    with (
        in_background(lambda: running(config, services(script))) as server,
        Client(server.address, retries=policy) as client,
        pytest.raises(BiosynthCallError, match=r"MESSAGE_TOO_LARGE.*upload the file"),
    ):
        client.segment(bytes(2**21))
    assert waits == []


def test_a_message_over_the_clients_own_limit_says_so(server: Running, waits: list[float]) -> None:
    policy = RetryPolicy(sleep=waits.append)
    with (
        Client(server.address, max_request_bytes=2**20, retries=policy) as client,
        pytest.raises(BiosynthCallError, match="MESSAGE_TOO_LARGE"),
    ):
        client.segment(bytes(2**21))
    assert waits == []


def test_an_answer_over_the_clients_limit_says_so_and_is_asked_for_once(
    server: Running, script: Script, waits: list[float]
) -> None:
    script.segmented = SegmentResponse(segmentation=Content(file=bytes(2**21)))
    policy = RetryPolicy(sleep=waits.append)
    with (
        Client(server.address, max_reply_bytes=2**20, retries=policy) as client,
        pytest.raises(BiosynthCallError, match=r"MESSAGE_TOO_LARGE.*DELIVERY_OBJECT"),
    ):
        client.segment(GREY)
    assert waits == []


def test_labels_that_do_not_shrink_below_the_limit_are_refused_with_advice(client: Client) -> None:
    noise = np.random.default_rng(0).integers(0, 2**16, (3000, 3000), np.uint16)
    with pytest.raises(InvalidInputError, match="save it as a file"):
        client.render({"cells": noise}, schema="cells4")


def test_nobody_at_the_endpoint_is_said_plainly_and_soon() -> None:
    begin = time.monotonic()
    with (
        Client("127.0.0.1:9", retries=RetryPolicy(retries=1, first_s=0.01)) as client,
        pytest.raises(BiosynthCallError, match=r"UNAVAILABLE NO_SERVER: no server answers at 127.0.0.1:9"),
    ):
        client.list_models()
    assert time.monotonic() - begin < 5


def test_a_call_that_takes_too_long_says_how_to_allow_more(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:  # connects, and never answers
        silent.bind(str(tmp_path / "s"))
        silent.listen(1)
        with (
            Client(f"unix:{tmp_path}/s", timeout_s=0.4) as client,
            pytest.raises(BiosynthCallError, match=r"DEADLINE_EXCEEDED TIMEOUT.*timeout_s"),
        ):
            client.list_models()


def test_a_server_without_the_service_says_which_endpoint_to_check(script: Script) -> None:
    config = ServerConfig(address="127.0.0.1:0")
    with (
        in_background(lambda: running(config, services(script)[:1])) as server,
        Client(server.address) as client,
        pytest.raises(BiosynthCallError, match=r"UNIMPLEMENTED NO_SUCH_CALL.*each service has an endpoint of its own"),
    ):
        client.list_models()


def test_a_stub_has_the_same_deadline_and_errors(client: Client, script: Script) -> None:
    script.failures = [InvalidImage("no")]
    with pytest.raises(BiosynthCallError, match="INVALID_IMAGE"):
        client.segmentation.Segment(SegmentRequest(), timeout=5)


def test_the_token_goes_with_every_call_and_a_wrong_one_is_said_plainly(script: Script, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{WORD}\n")
    config = ServerConfig(address="127.0.0.1:0", token_file=tmp_path / "token")
    script.events = [RunResponse(result=RunResult(generation=GENERATED))]
    with in_background(lambda: running(config, services(script))) as server:
        with Client(server.address, token=WORD) as client:
            client.run(reference=GREY)
            client.segment(GREY)
        assert [metadata["authorization"] for metadata in script.metadata] == [f"Bearer {WORD}"] * 2
        with Client(server.address) as client, pytest.raises(BiosynthCallError, match="UNAUTHENTICATED"):
            client.list_models()


def test_a_closed_client_says_that_it_is_closed(server: Running) -> None:
    client = Client(server.address)
    client.list_models()
    client.close()
    with pytest.raises(ValueError, match="closed"):
        client.list_models()
