"""Start-up, health and the drain of a real server."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from biosynth.status import is_ours, status_of_call
from biosynth.v1.segmentation_pb2 import SegmentRequest, SegmentResponse
from biosynth.v1.segmentation_pb2_grpc import SegmentationServiceStub
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from services.cli.background import in_background
from services.common.errors import ConfigError
from services.common.serving.config import ServerConfig
from services.common.serving.server import running, serve_until_signalled
from tests.integration.common.fakes import ANYWHERE, answers, answers_slowly, segmentation, served_in_background, stub

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
NAME = "biosynth.v1.SegmentationService"


async def start_and_stop(config: ServerConfig) -> None:
    async with running(config, [segmentation(answers)]):
        pass


def test_each_service_is_healthy_and_an_unknown_one_is_not_found() -> None:
    with served_in_background(segmentation(answers)) as (_, channel):
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", NAME):
            assert health.Check(health_pb2.HealthCheckRequest(service=name)).status == SERVING
        with pytest.raises(grpc.RpcError, match="NOT_FOUND") as caught:
            health.Check(health_pb2.HealthCheckRequest(service="biosynth.v1.Nope"))
        status = status_of_call(caught.value)
        assert status is not None and is_ours(status)


def test_a_call_in_flight_ends_well_while_the_server_drains_and_health_says_so() -> None:
    async def main() -> tuple[SegmentResponse, list[int], float]:
        statuses: list[int] = []

        async def watch(channel: grpc.aio.Channel) -> None:
            request = health_pb2.HealthCheckRequest(service=NAME)
            try:
                async for answer in health_pb2_grpc.HealthStub(channel).Watch(request):
                    statuses.append(answer.status)
            except grpc.aio.AioRpcError:
                pass  # the server ended the watch

        async with running(ANYWHERE, [segmentation(answers_slowly)]) as server:
            channel = grpc.aio.insecure_channel(server.address)
            watching = asyncio.ensure_future(watch(channel))
            call = asyncio.ensure_future(stub(channel).Segment(SegmentRequest(channel=500)))
            await asyncio.sleep(0.2)
            begin = time.perf_counter()
        seconds = time.perf_counter() - begin
        answer = await call
        await watching
        await channel.close()
        return answer, statuses, seconds

    answer, statuses, seconds = asyncio.run(main())
    assert answer.cached
    assert statuses == [SERVING, NOT_SERVING]
    assert 0.2 < seconds < 2  # as long as the call takes: not cut short, nor held up by the watch


def test_a_call_that_outlasts_the_drain_is_cancelled() -> None:
    async def main() -> float:
        config = ServerConfig(address="127.0.0.1:0", drain_seconds=0.3)
        async with running(config, [segmentation(answers_slowly)]) as server:
            channel = grpc.aio.insecure_channel(server.address)
            call = asyncio.ensure_future(stub(channel).Segment(SegmentRequest(channel=30_000)))
            await asyncio.sleep(0.2)
            begin = time.perf_counter()
        seconds = time.perf_counter() - begin
        with pytest.raises(grpc.aio.AioRpcError):
            await call
        await channel.close()
        return seconds

    assert asyncio.run(main()) < 3


SERVER = """
import asyncio, sys
from pathlib import Path
from services.common.serving.config import ServerConfig
from services.common.serving.logs import configure_logs
from services.common.serving.server import serve_until_signalled
from tests.integration.common.fakes import answers_slowly, segmentation
configure_logs("info", sys.stderr)
config = ServerConfig.from_env({"BIOSYNTH_ADDRESS": sys.argv[1]})

async def announces(request, context):
    Path(sys.argv[2]).touch()
    return await answers_slowly(request, context)

asyncio.run(serve_until_signalled(config, [segmentation(announces)]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_after_the_call_in_flight(tmp_path: Path, number: int) -> None:
    address = f"unix:{tmp_path}/private/server.sock"
    command = [sys.executable, "-c", SERVER, address, str(tmp_path / "called")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with process, grpc.insecure_channel(address) as channel:
        request = SegmentRequest(channel=700)
        call = SegmentationServiceStub(channel).Segment.future(request, timeout=20, wait_for_ready=True)
        deadline = time.monotonic() + 15
        while not (tmp_path / "called").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        assert call.result().cached
        assert process.wait(10) == 0
        log = process.stderr.read() if process.stderr else ""
    assert '"message": "draining"' in log
    assert '"message": "stopped"' in log
    assert "Traceback" not in log


def test_metrics_are_served_beside_the_calls() -> None:
    config = ServerConfig(address="127.0.0.1:0", metrics_port=0)
    with served_in_background(segmentation(answers), config) as (server, channel):
        SegmentationServiceStub(channel).Segment(SegmentRequest())
        with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=5) as response:
            text = response.read().decode()
    assert f'grpc_server_handled_total{{grpc_code="OK",grpc_method="Segment",grpc_service="{NAME}"' in text


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_answers_under_the_name_of_each_version(version: str) -> None:
    config = ServerConfig(address="127.0.0.1:0", reflection=True)
    with served_in_background(segmentation(answers), config) as (_, channel):
        method = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        requests = [ServerReflectionRequest(list_services=""), ServerReflectionRequest(file_containing_symbol=NAME)]
        call = channel.stream_stream(method, ServerReflectionRequest.SerializeToString, _reflected)
        listed, described = call(iter(requests), timeout=10)
    assert NAME in [service.name for service in listed.list_services_response.service]
    files = [FileDescriptorProto.FromString(data) for data in described.file_descriptor_response.file_descriptor_proto]
    assert "SegmentationService" in [service.name for file in files for service in file.service]


def _reflected(data: bytes) -> Any:
    return ServerReflectionResponse.FromString(data)


@pytest.mark.parametrize("is_on", [False, True])
def test_reflection_is_there_only_when_it_is_switched_on(is_on: bool) -> None:
    config = ServerConfig(address="127.0.0.1:0", reflection=is_on)
    with served_in_background(segmentation(answers), config) as (_, channel):
        database = ProtoReflectionDescriptorDatabase(channel)
        if is_on:
            assert NAME in database.get_services()
        else:
            with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
                database.get_services()


def test_an_address_in_use_or_not_ours_names_the_variable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"BIOSYNTH_ADDRESS.*{port}"):
            asyncio.run(start_and_stop(ServerConfig(address=f"127.0.0.1:{port}")))
    with pytest.raises(ConfigError, match="BIOSYNTH_ADDRESS"):
        asyncio.run(start_and_stop(ServerConfig(address="203.0.113.1:50051")))


def test_two_servers_cannot_share_a_port() -> None:
    with (
        served_in_background(segmentation(answers)) as (server, _),
        pytest.raises(ConfigError, match="BIOSYNTH_ADDRESS"),
    ):
        asyncio.run(start_and_stop(ServerConfig(address=server.address)))


def test_a_unix_socket_lies_in_a_folder_that_only_its_user_can_enter(tmp_path: Path) -> None:
    config = ServerConfig(address=f"unix:{tmp_path}/new/server.sock")
    with in_background(lambda: running(config, [segmentation(answers)])) as server:
        assert server.address == config.address
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
        with grpc.insecure_channel(server.address) as channel:
            assert SegmentationServiceStub(channel).Segment(SegmentRequest()).cached


def test_a_method_that_is_no_text_ends_no_server() -> None:
    """With grpcio 1.84 to 1.85.1 one such call, even without a token, ended the server for good."""
    config = ServerConfig(address="127.0.0.1:0", health_address="127.0.0.1:0")
    with in_background(lambda: running(config, [segmentation(answers)])) as server:
        for address in (server.address, str(server.health_address)):
            with grpc.insecure_channel(address) as channel:
                with pytest.raises(grpc.RpcError):
                    channel.unary_unary(b"/\xff", bytes, bytes)(b"")  # type: ignore[arg-type]
                assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status == SERVING


def test_a_server_that_ends_by_itself_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(_: grpc.aio.Server) -> None:
        await asyncio.sleep(0.1)
        raise OSError("the loop of gRPC broke")

    monkeypatch.setattr("grpc.aio._server.Server.wait_for_termination", breaks)
    with pytest.raises(OSError, match="the loop of gRPC broke"):
        asyncio.run(serve_until_signalled(ANYWHERE, [segmentation(answers)]))


def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(ConfigError, match="mode 0755"):
        asyncio.run(start_and_stop(ServerConfig(address=f"unix:{tmp_path}/open/server.sock")))


def test_a_socket_path_that_the_kernel_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"at most 103 bytes, got 104: /x+; choose a shorter.*ADDRESS, or in TMPDIR"):
        asyncio.run(start_and_stop(ServerConfig(address=f"unix:/{'x' * 103}")))


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(os.fspath(folder / "s"))
    config = ServerConfig(address=f"unix:{folder}/s")
    with in_background(lambda: running(config, [segmentation(answers)])) as server:
        with pytest.raises(ConfigError, match="another server listens"):
            asyncio.run(start_and_stop(config))
        with grpc.insecure_channel(server.address) as channel:
            assert SegmentationServiceStub(channel).Segment(SegmentRequest()).cached


def test_connections_age_so_that_clients_find_new_replicas() -> None:
    config = ServerConfig(address="127.0.0.1:0", connection_age_seconds=0.3, drain_seconds=0.2)
    with served_in_background(segmentation(answers_slowly), config) as (_, channel):
        seen: list[grpc.ChannelConnectivity] = []
        channel.subscribe(seen.append)
        # Longer than a connection lives and a drain lasts: the call ends all the same, as evaluations of minutes must.
        assert SegmentationServiceStub(channel).Segment(SegmentRequest(channel=800)).cached
        deadline = time.monotonic() + 5
        while grpc.ChannelConnectivity.IDLE not in seen[1:] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert grpc.ChannelConnectivity.IDLE in seen[1:]
