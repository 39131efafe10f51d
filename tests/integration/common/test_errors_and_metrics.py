"""What a caller sees of an error, and what is counted and logged, through a real server."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from typing import Any

import grpc
import grpc.aio
import pytest
from biosynth.v1.pipeline_pb2 import RunRequest, RunResponse
from biosynth.v1.pipeline_pb2_grpc import PipelineServiceStub
from biosynth.v1.segmentation_pb2 import ListSegmentersRequest, SegmentRequest, SegmentResponse
from biosynth.v1.types_pb2 import Content
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from services.common.errors import InvalidImage, Overloaded
from services.common.serving.channels import open_channel
from services.common.serving.config import CallerConfig, ServerConfig
from services.common.serving.crowding import MOST_CALLS
from services.common.serving.metrics import Metrics
from services.common.serving.server import Service, running
from tests.integration.common.fakes import (
    ANYWHERE,
    Behaviour,
    Context,
    answers,
    answers_slowly,
    pipeline,
    raises,
    segmentation,
    served,
    stub,
)
from tests.support.calls import random_bodies

SEGMENT = ("unary", "biosynth.v1.SegmentationService", "Segment")


async def failure(behaviour: Behaviour, **call: Any) -> grpc.aio.AioRpcError:
    async with served(segmentation(behaviour)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub(channel).Segment(SegmentRequest(), **call)
    return caught.value


async def receive(stream: AsyncIterable[RunResponse], received: list[RunResponse]) -> None:
    async for message in stream:
        received.append(message)


def details(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    status = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    found: dict[str, Any] = {}
    for detail in status.details:
        for kind in (ErrorInfo, RetryInfo):
            message = kind()
            if detail.Unpack(message):
                found[kind.__name__] = message
    return found


def counted(metrics: Metrics, name: str, labels: tuple[str, str, str], **more: str) -> float:
    named = dict(zip(("grpc_type", "grpc_service", "grpc_method"), labels, strict=True)) | more
    return metrics.registry.get_sample_value(name, named) or 0.0


def failed(metrics: Metrics, method: str, reason: str, service: str = "biosynth.v1.SegmentationService") -> float:
    labels = {"grpc_service": service, "grpc_method": method, "reason": reason}
    return metrics.registry.get_sample_value("biosynth_calls_failed_total", labels) or 0.0


def test_a_domain_error_arrives_with_its_status_message_reason_and_metadata() -> None:
    error = asyncio.run(failure(raises(InvalidImage("expected 8 or 16 bit, got 32", got="32"))))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "expected 8 or 16 bit, got 32"
    info = details(error)["ErrorInfo"]
    assert (info.reason, info.domain, dict(info.metadata)) == ("INVALID_IMAGE", "biosynth", {"got": "32"})
    assert "RetryInfo" not in details(error)


def test_overload_says_when_to_come_back() -> None:
    error = asyncio.run(failure(raises(Overloaded("too many"))))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(error)["RetryInfo"].retry_delay.ToMilliseconds() == 1000


def test_an_unexpected_errors_text_stays_in_the_log_under_an_id(caplog: pytest.LogCaptureFixture) -> None:
    call = {"metadata": (("x-request-id", "mine-1"),)}
    error = asyncio.run(failure(raises(KeyError("/secret/path")), **call))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "/secret/path" not in repr(error)
    error_id = details(error)["ErrorInfo"].metadata["error_id"]
    assert error_id in str(error.details())
    assert error_id in caplog.text
    assert "KeyError: '/secret/path'" in caplog.text
    assert dict(error.trailing_metadata())["x-request-id"] == "mine-1"


def test_a_handlers_own_abort_passes_through() -> None:
    async def aborts(request: SegmentRequest, context: Context) -> SegmentResponse:
        await context.abort(grpc.StatusCode.ALREADY_EXISTS, "as it was said")
        return SegmentResponse()

    error = asyncio.run(failure(aborts))
    assert (error.code(), error.details()) == (grpc.StatusCode.ALREADY_EXISTS, "as it was said")


def test_a_stream_that_fails_half_way_delivers_its_messages_and_then_the_error() -> None:
    async def events(request: RunRequest, context: Context) -> AsyncIterator[RunResponse]:
        yield RunResponse()
        raise InvalidImage("expected a PNG")

    async def main() -> tuple[list[RunResponse], grpc.aio.AioRpcError]:
        received: list[RunResponse] = []
        async with served(pipeline(events)) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await receive(PipelineServiceStub(channel).Run(RunRequest()), received)
        return received, caught.value

    received, error = asyncio.run(main())
    assert len(received) == 1
    assert details(error)["ErrorInfo"].reason == "INVALID_IMAGE"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("Run_7.a-b", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ('"},{', False), ("", False)],
)
def test_a_sound_request_id_is_kept_and_any_other_replaced(sent: str, kept: bool) -> None:
    async def main() -> str:
        async with served(segmentation(answers)) as channel:
            call = stub(channel).Segment(SegmentRequest(), metadata=(("x-request-id", sent),))
            await call
            return str(dict(await call.trailing_metadata())["x-request-id"])

    received = asyncio.run(main())
    assert (received == sent) is kept
    assert len(received) >= 1


def refused_message(size: int, metrics: Metrics) -> grpc.aio.AioRpcError:
    """What a server that takes 1 MiB answers to a message with a file of so many bytes."""

    async def main() -> grpc.aio.AioRpcError:
        config = ServerConfig(address="127.0.0.1:0", max_message_bytes=2**20)
        async with served(segmentation(answers), config, metrics) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub(channel).Segment(SegmentRequest(image=Content(file=bytes(size))))
        return caught.value

    return asyncio.run(main())


def test_a_message_over_the_limit_is_refused_with_details_and_counted() -> None:
    error = refused_message(2**20, metrics := Metrics())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)["ErrorInfo"].reason == "MESSAGE_TOO_LARGE"
    assert "expected a request of at most 1048576 bytes, got 10485" in (error.details() or "")
    assert failed(metrics, "Segment", "MESSAGE_TOO_LARGE") == 1
    assert metrics.registry.get_sample_value("biosynth_in_flight_bytes") == 0


def test_a_message_far_over_the_limit_is_refused_unread_by_grpc_and_shows_as_begun_but_not_ended() -> None:
    error = refused_message(2**21, metrics := Metrics())
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in str(error.details())
    assert counted(metrics, "grpc_server_started_total", SEGMENT) == 1
    assert counted(metrics, "grpc_server_handled_total", SEGMENT, grpc_code="RESOURCE_EXHAUSTED") == 0


def test_calls_are_counted_by_service_method_and_code_and_timed() -> None:
    async def main(metrics: Metrics) -> None:
        async with served(segmentation(raises(InvalidImage("no"))), metrics=metrics) as channel:
            for _ in range(2):
                with pytest.raises(grpc.aio.AioRpcError):
                    await stub(channel).Segment(SegmentRequest())
            await stub(channel).ListSegmenters(ListSegmentersRequest())

    metrics = Metrics()
    asyncio.run(main(metrics))
    assert counted(metrics, "grpc_server_started_total", SEGMENT) == 2
    assert counted(metrics, "grpc_server_handled_total", SEGMENT, grpc_code="INVALID_ARGUMENT") == 2
    assert counted(metrics, "grpc_server_handling_seconds_count", SEGMENT) == 2
    listed = (SEGMENT[0], SEGMENT[1], "ListSegmenters")
    assert counted(metrics, "grpc_server_handled_total", listed, grpc_code="OK") == 1


def test_more_calls_than_a_server_takes_are_refused_with_the_time_to_come_again_and_counted() -> None:
    async def main(metrics: Metrics) -> Counter[str]:
        async def one(channel: grpc.aio.Channel) -> str:
            try:
                await stub(channel).Segment(SegmentRequest(channel=3000), timeout=20)
            except grpc.aio.AioRpcError as error:
                told = details(error)
                return f"{told['ErrorInfo'].reason}, again in {told['RetryInfo'].retry_delay.ToMilliseconds()} ms"
            return "OK"

        async with served(segmentation(answers_slowly), metrics=metrics) as channel:
            first = asyncio.ensure_future(one(channel))
            await asyncio.sleep(0.1)  # the channel connects
            answered = await asyncio.gather(first, *(one(channel) for _ in range(MOST_CALLS + 43)))
            assert await one(channel) == "OK"
        return Counter(answered)

    metrics = Metrics()
    assert asyncio.run(main(metrics)) == {"OK": MOST_CALLS, "OVERLOADED, again in 1000 ms": 44}
    assert failed(metrics, "Segment", "OVERLOADED") == 44
    assert counted(metrics, "grpc_server_handled_total", SEGMENT, grpc_code="OK") == MOST_CALLS + 1


def test_methods_that_do_not_exist_share_one_label() -> None:
    async def main(metrics: Metrics) -> set[tuple[grpc.StatusCode, str]]:
        answers_got = set()
        async with served(segmentation(answers), metrics=metrics) as channel:
            for method in ("/a.B/C", "/biosynth.v1.SegmentationService/Nope", "/grpc.health.v1.Health/Nope"):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await channel.unary_unary(method, bytes, bytes)(b"")
                answers_got.add((caught.value.code(), details(caught.value)["ErrorInfo"].reason))
        return answers_got

    metrics = Metrics()
    assert asyncio.run(main(metrics)) == {(grpc.StatusCode.UNIMPLEMENTED, "NO_SUCH_CALL")}
    unknown = ("unknown", "unknown", "unknown")
    assert counted(metrics, "grpc_server_handled_total", unknown, grpc_code="UNIMPLEMENTED") == 3
    assert failed(metrics, "unknown", "NO_SUCH_CALL", "unknown") == 3
    labels = {sample.labels.get("grpc_method") for metric in metrics.registry.collect() for sample in metric.samples}
    assert labels == {"unknown", None, "Segment", "SegmentWithProgress", "ListSegmenters"}


def test_counters_are_shown_before_the_first_call_so_that_a_rate_sees_the_first_failure() -> None:
    async def main(metrics: Metrics) -> None:
        async with served(segmentation(answers), metrics=metrics):
            pass

    metrics = Metrics()
    asyncio.run(main(metrics))
    labels = dict(zip(("grpc_type", "grpc_service", "grpc_method"), SEGMENT, strict=True))
    for code in grpc.StatusCode:
        assert metrics.registry.get_sample_value("grpc_server_handled_total", labels | {"grpc_code": code.name}) == 0
    of_method = {"grpc_service": SEGMENT[1], "grpc_method": SEGMENT[2], "reason": "STORE_UNAVAILABLE"}
    assert metrics.registry.get_sample_value("biosynth_calls_failed_total", of_method) == 0


def test_a_call_that_its_caller_gives_up_is_cancelled_and_counted_so() -> None:
    async def main(metrics: Metrics) -> bool:
        cancelled = asyncio.Event()

        async def waits(request: SegmentRequest, context: Context) -> SegmentResponse:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                cancelled.set()
                raise
            return SegmentResponse()

        async with served(segmentation(waits), metrics=metrics) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await stub(channel).Segment(SegmentRequest(), timeout=0.2)
            await asyncio.wait_for(cancelled.wait(), 5)
        return cancelled.is_set()

    metrics = Metrics()
    assert asyncio.run(main(metrics))
    assert counted(metrics, "grpc_server_handled_total", SEGMENT, grpc_code="CANCELLED") == 1
    assert failed(metrics, "Segment", "EXPIRED") == 1


def test_calls_and_bytes_in_flight_are_shown_while_they_are_and_a_caller_who_leaves_is_counted() -> None:
    metrics, seen = Metrics(), list[float | None]()

    def shown() -> tuple[float | None, float | None]:
        method = {"grpc_service": SEGMENT[1], "grpc_method": SEGMENT[2]}
        read = metrics.registry.get_sample_value
        return read("biosynth_calls_in_flight", method), read("biosynth_in_flight_bytes")

    async def main() -> None:
        async def waits(request: SegmentRequest, context: Context) -> SegmentResponse:
            seen.extend(shown())
            await asyncio.sleep(30)
            return SegmentResponse()

        async with served(segmentation(waits), metrics=metrics) as channel:
            call = stub(channel).Segment(SegmentRequest(image=Content(file=b"x" * 1000)), timeout=20)
            await asyncio.sleep(0.2)
            call.cancel()
            await asyncio.sleep(0.2)

    asyncio.run(main())
    assert seen == [1, 1006]
    assert shown() == (0, 0)
    assert failed(metrics, "Segment", "CANCELLED") == 1


def calling(address: str) -> Service:
    """A pipeline whose Run calls the segmentation service at `address`, as the real one does."""

    async def events(request: RunRequest, context: Context) -> AsyncIterator[RunResponse]:
        async with open_channel(address, CallerConfig()) as channel:
            await stub(channel).Segment(SegmentRequest())
        yield RunResponse()

    return pipeline(events)


async def run_error(address: str, request_id: str) -> grpc.aio.AioRpcError:
    async with served(calling(address)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await receive(PipelineServiceStub(channel).Run(RunRequest(), metadata=(("x-request-id", request_id),)), [])
    return caught.value


def test_another_services_error_reaches_the_caller_as_it_was_and_the_request_id_goes_all_the_way() -> None:
    seen: list[object] = []

    async def refuses(request: SegmentRequest, context: Context) -> SegmentResponse:
        seen.append(dict(context.invocation_metadata())["x-request-id"])
        raise InvalidImage("expected a PNG, got text")

    async def main() -> grpc.aio.AioRpcError:
        async with running(ANYWHERE, [segmentation(refuses)]) as inner:
            return await run_error(inner.address, "all-the-way")

    error = asyncio.run(main())
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "expected a PNG, got text")
    assert details(error)["ErrorInfo"].reason == "INVALID_IMAGE"
    assert seen == ["all-the-way"]


def test_another_service_that_is_down_is_unavailable_and_its_address_is_not_told() -> None:
    error = asyncio.run(run_error("127.0.0.1:9", "down"))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert details(error)["ErrorInfo"].reason == "DEPENDENCY_UNAVAILABLE"
    assert "127.0.0.1" not in str(error.details())


@pytest.mark.parametrize(
    ("service", "method", "kind"),
    [
        (segmentation(answers), "SegmentationService/Segment", "unary_unary"),
        (pipeline(lambda _request, _context: _nothing()), "PipelineService/Run", "unary_stream"),
    ],
)
def test_random_bodies_are_invalid_arguments_and_are_counted(service: Service, method: str, kind: str) -> None:
    """gRPC alone would answer UNKNOWN with a Python class's name, and neither count nor log it."""
    metrics, bodies = Metrics(), random_bodies(350)

    async def sent() -> Counter[str]:
        async with served(service, metrics=metrics) as channel:
            call = getattr(channel, kind)(f"/biosynth.v1.{method}")
            codes: Counter[str] = Counter()
            for body in bodies:
                code, told = await _ended(call(body) if kind == "unary_unary" else receive(call(body), []))
                codes[code] += 1
                if code == "INVALID_ARGUMENT":
                    assert f"expected the request message of {method.split('/')[1]}; got {len(body)} bytes" in told
        return codes

    codes = asyncio.run(sent())
    assert codes.keys() <= {"OK", "INVALID_ARGUMENT"}
    assert codes["INVALID_ARGUMENT"] > 250
    labels = ("unary" if kind == "unary_unary" else "server_stream", *f"biosynth.v1.{method}".split("/"))
    named = (labels[0], labels[1], labels[2])
    assert (
        counted(metrics, "grpc_server_handled_total", named, grpc_code="INVALID_ARGUMENT") == codes["INVALID_ARGUMENT"]
    )


async def _ended(call: Awaitable[Any]) -> tuple[str, str]:
    """Name of the code that a call ends with, and its text. Any bytes may happen to be a message."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details() or ""
    return "OK", ""


async def _nothing() -> AsyncIterator[RunResponse]:
    for event in list[RunResponse]():
        yield event


@pytest.mark.parametrize("method", ["Segment", "SegmentWithProgress"])
def test_a_large_reply_counts_until_it_is_gone_and_one_that_has_no_room_is_asked_for_again(method: str) -> None:
    config = ServerConfig(address="127.0.0.1:0", drain_seconds=5, max_in_flight_bytes=1_000_000)
    metrics, release = Metrics(), asyncio.Event()

    async def large(request: SegmentRequest, context: Context) -> SegmentResponse:
        await release.wait()
        return SegmentResponse(segmentation=Content(file=b"x" * 900_000))

    async def main() -> list[str]:
        async with served(segmentation(large), config, metrics) as channel:
            call = getattr(stub(channel), method)
            told = [asyncio.ensure_future(_ended(_all_of(call(SegmentRequest())))) for _ in range(2)]
            await asyncio.sleep(0.1)
            release.set()
            codes = [code for code, _ in await asyncio.gather(*told)]
            assert (await _ended(_all_of(call(SegmentRequest()))))[0] == "OK"
            await asyncio.sleep(0.1)
        return codes

    assert sorted(asyncio.run(main())) == ["OK", "RESOURCE_EXHAUSTED"]
    assert metrics.registry.get_sample_value("biosynth_in_flight_bytes") == 0


async def _all_of(call: Any) -> None:
    await (call if hasattr(call, "__await__") else receive(call, []))


def test_more_bytes_than_a_server_holds_are_refused_until_there_is_room() -> None:
    large = SegmentRequest(image=Content(file=b"x" * 900_000))
    config = ServerConfig(address="127.0.0.1:0", drain_seconds=5, max_in_flight_bytes=1_000_000)
    release = asyncio.Event()

    async def waits(request: SegmentRequest, context: Context) -> SegmentResponse:
        await release.wait()
        return SegmentResponse()

    async def main() -> grpc.aio.AioRpcError:
        async with served(segmentation(waits), config) as channel:
            first = asyncio.ensure_future(stub(channel).Segment(large))
            await asyncio.sleep(0.1)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub(channel).Segment(large)
            release.set()
            await first
            await stub(channel).Segment(large)
        return refused.value

    error = asyncio.run(main())
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "bytes of requests and replies are in work, of 1000000" in (error.details() or "")
    assert details(error)["RetryInfo"].retry_delay.ToMilliseconds() == 1000


def test_a_service_that_passes_for_a_moment_is_called_again_and_one_that_stays_away_is_not_called_fourfold() -> None:
    calls = Counter[str]()

    async def away(request: SegmentRequest, context: Context) -> SegmentResponse:
        calls["away"] += 1
        await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        raise AssertionError

    async def back_soon(request: SegmentRequest, context: Context) -> SegmentResponse:
        calls["back soon"] += 1
        if calls["back soon"] < 3:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "back soon")
        return SegmentResponse()

    async def main() -> None:
        async with (
            running(ANYWHERE, [segmentation(back_soon)]) as soon,
            running(ANYWHERE, [segmentation(away)]) as gone,
            open_channel(soon.address, CallerConfig()) as first,
            open_channel(gone.address, CallerConfig()) as second,
        ):
            await stub(first).Segment(SegmentRequest())
            for _ in range(30):
                with pytest.raises(grpc.aio.AioRpcError):
                    await stub(second).Segment(SegmentRequest())

    asyncio.run(main())
    assert calls["back soon"] == 3
    assert 30 < calls["away"] <= 30 + 10
