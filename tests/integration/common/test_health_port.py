"""The port for health alone: probes that speak no TLS ask there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import pytest
from biosynth.status import is_ours, status_of_call
from biosynth.v1.segmentation_pb2 import SegmentRequest
from biosynth.v1.segmentation_pb2_grpc import SegmentationServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.cli.background import in_background
from services.common.errors import ConfigError
from services.common.serving.config import ServerConfig
from services.common.serving.server import running
from tests.integration.common.fakes import answers, answers_slowly, segmentation, stub

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def config(tmp_path: Path) -> ServerConfig:
    (tmp_path / "token").write_text("right")
    return ServerConfig("127.0.0.1:0", token_file=tmp_path / "token", health_address="127.0.0.1:0")


def probe(address: str | None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.common.serving.probe"]
    env = {"BIOSYNTH_HEALTH_ADDRESS": str(address)}
    return subprocess.run(command, env=env, capture_output=True, text=True)


def test_it_answers_without_a_token_and_serves_nothing_but_health(config: ServerConfig) -> None:
    with (
        in_background(lambda: running(config, [segmentation(answers)])) as server,
        grpc.insecure_channel(str(server.health_address)) as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "biosynth.v1.SegmentationService"):
            assert health.Check(health_pb2.HealthCheckRequest(service=name)).status == SERVING
        with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
            SegmentationServiceStub(channel).Segment(SegmentRequest())


def test_it_says_not_serving_while_the_server_drains(config: ServerConfig) -> None:
    async def main() -> int:
        async with running(config, [segmentation(answers_slowly)]) as server:
            aside = grpc.aio.insecure_channel(str(server.health_address))
            channel = grpc.aio.insecure_channel(server.address)
            metadata = (("authorization", "Bearer right"),)
            call = asyncio.ensure_future(stub(channel).Segment(SegmentRequest(channel=800), metadata=metadata))
            await asyncio.sleep(0.2)
            later = asyncio.ensure_future(_status_soon(aside))
        status = await later
        await call
        await channel.close()
        await aside.close()
        return status

    assert asyncio.run(main()) == NOT_SERVING


async def _status_soon(channel: grpc.aio.Channel) -> int:
    await asyncio.sleep(0.2)
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    return int(answer.status)


def test_a_port_in_use_names_the_variable(config: ServerConfig) -> None:
    async def start_twice() -> None:
        async with (
            running(config, [segmentation(answers)]) as first,
            running(replace(config, health_address=first.health_address), [segmentation(answers)]),
        ):
            pass

    with pytest.raises(ConfigError, match="BIOSYNTH_HEALTH_ADDRESS: cannot listen"):
        asyncio.run(start_twice())


def test_the_containers_probe_tells_a_server_from_none(config: ServerConfig) -> None:
    with in_background(lambda: running(config, [segmentation(answers)])) as server:
        assert probe(server.health_address).returncode == 0
    none = probe("127.0.0.1:1")
    assert none.returncode == 1
    assert none.stderr.startswith("no answer on port 1: ")


def test_beside_it_the_main_port_asks_for_the_token_even_for_health(config: ServerConfig) -> None:
    with (
        in_background(lambda: running(config, [segmentation(answers)])) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
            health.Check(health_pb2.HealthCheckRequest())
        metadata = (("authorization", "Bearer right"),)
        assert health.Check(health_pb2.HealthCheckRequest(), metadata=metadata).status == SERVING


def test_it_takes_no_more_than_a_probe_sends(config: ServerConfig) -> None:
    with (
        in_background(lambda: running(config, [segmentation(answers)])) as server,
        grpc.insecure_channel(str(server.health_address)) as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.RpcError, match="RESOURCE_EXHAUSTED"):
            health.Check(health_pb2.HealthCheckRequest(service="x" * 2000))
        with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
            next(health.Watch(health_pb2.HealthCheckRequest(service="x" * 201)))


def test_an_unknown_name_is_refused_with_details_there_too(config: ServerConfig) -> None:
    with (
        in_background(lambda: running(config, [segmentation(answers)])) as server,
        grpc.insecure_channel(str(server.health_address)) as channel,
        pytest.raises(grpc.RpcError, match="NOT_FOUND") as caught,
    ):
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="biosynth.v1.Nope"))
    status = status_of_call(caught.value)
    assert status is not None and is_ours(status)
