"""A pipeline whose other services are gone, or refuse it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from biosynth import BiosynthCallError, Client
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.cli.background import in_background
from services.cli.composition import Composition
from services.common.serving.config import EndpointsConfig, ServerConfig
from services.common.serving.runtime import Runtime, opened
from services.common.serving.server import Running, Service, running
from services.common.storage.folder import FolderStore
from services.generation.config import GenerationConfig
from services.generation.opening import opened_models
from services.generation.servicer import generation_service
from services.pipeline import catalogue, reachability
from services.pipeline.catalogue import connected
from services.pipeline.servicer import pipeline_service
from services.segmentation.servicer import SegmentationServicer
from tests.integration.common.fakes import answers, segmentation
from tests.support.ports import free_ports

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@contextmanager
def pipeline(store: FolderStore, endpoint: str, seconds: float = 60) -> Iterator[Client]:
    """A client, who waits so long, of a pipeline that looks for all other services at `endpoint`."""

    @asynccontextmanager
    async def serving(runtime: Runtime) -> AsyncIterator[Running]:
        async with connected(EndpointsConfig(endpoint, endpoint, endpoint)) as stubs:
            config = ServerConfig(address="127.0.0.1:0", drain_seconds=1)
            async with running(config, [pipeline_service(runtime, stubs)]) as server:
                yield server

    with (
        opened(store, 1) as runtime,
        in_background(lambda: serving(runtime)) as server,
        Client(server.address, timeout_s=seconds, retries=0) as client,
    ):
        yield client


OTHERS = [f"biosynth.v1.{name}Service" for name in ("Segmentation", "Reference", "Generation")]


def _becomes(health: health_pb2_grpc.HealthStub, expected: Any, service: str = "biosynth.v1.PipelineService") -> bool:
    """Whether a service's health is this within ten seconds."""
    request = health_pb2.HealthCheckRequest(service=service)
    for _ in range(200):
        if health.Check(request, timeout=5).status == expected:
            return True
        time.sleep(0.05)
    return False


def test_the_pipelines_health_follows_the_services_it_calls_and_the_processs_own_does_not(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reachability, "PAUSE_SECONDS", 0.1)
    address = f"127.0.0.1:{free_ports(1)[0]}"
    endpoints = EndpointsConfig(address, address, address)
    config = ServerConfig(address=address, drain_seconds=0)
    others = [Service(name, lambda _server: None) for name in OTHERS]

    @asynccontextmanager
    async def serving(runtime: Runtime) -> AsyncIterator[Running]:
        async with connected(endpoints) as stubs:
            service = pipeline_service(runtime, stubs, partial(reachability.all_answer, endpoints))
            async with running(ServerConfig(address="127.0.0.1:0", drain_seconds=1), [service]) as server:
                yield server

    with (
        opened(store, 1) as runtime,
        in_background(lambda: serving(runtime)) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        assert _becomes(health, NOT_SERVING)
        with in_background(lambda: running(config, others)):
            assert _becomes(health, SERVING)
        assert _becomes(health, NOT_SERVING)
        with in_background(lambda: running(config, others[:2])):  # one of them is not there
            time.sleep(0.5)
            assert _becomes(health, NOT_SERVING)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=5).status == SERVING


def test_a_generation_service_without_a_model_is_not_serving(store: FolderStore) -> None:
    @asynccontextmanager
    async def serving(runtime: Runtime) -> AsyncIterator[Running]:
        with opened_models(GenerationConfig(model_folders=()), runtime) as models:
            async with running(ServerConfig(address="127.0.0.1:0"), [generation_service(runtime, models)]) as server:
                yield server

    with (
        opened(store, 1) as runtime,
        in_background(lambda: serving(runtime)) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        assert _becomes(health, NOT_SERVING, "biosynth.v1.GenerationService")
        assert _becomes(health, SERVING, "")


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds that listing may take, so that tests need not wait for the usual ones."""
    monkeypatch.setattr(catalogue, "LIST_SECONDS", 1.0)
    return 1.0


def test_a_service_that_is_not_there_is_named(store: FolderStore, patience: float) -> None:
    with (
        pipeline(store, f"127.0.0.1:{free_ports(1)[0]}") as client,
        pytest.raises(BiosynthCallError, match=r"\w+Service, which this call needs, does not answer") as caught,
    ):
        client.run(image=b"x")
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


def test_a_frozen_service_is_named_long_before_the_callers_deadline(store: FolderStore, patience: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # the kernel accepts, and nobody ever answers
        begin = time.monotonic()
        with (
            pipeline(store, f"127.0.0.1:{frozen.getsockname()[1]}") as client,
            pytest.raises(BiosynthCallError, match=r"\w+Service, which this call needs, does not answer") as caught,
        ):
            client.run(image=b"x")
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert time.monotonic() - begin < 20


@contextmanager
def all_but_segmenting(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The services that a run calls, of which segmentation lists, but answers nothing else."""

    async def never(_self: object, _request: object, _context: object) -> None:
        await asyncio.Event().wait()

    @asynccontextmanager
    async def serving(runtime: Runtime) -> AsyncIterator[Running]:
        unused = EndpointsConfig("unix:/none", "unix:/none", "unix:/none")
        composition = Composition(["segmentation", "reference", "generation"], GenerationConfig(), unused)
        async with (
            composition.start(runtime) as services,
            running(ServerConfig(address="127.0.0.1:0", drain_seconds=0), services) as server,
        ):
            yield server

    monkeypatch.setattr(SegmentationServicer, "SegmentWithProgress", never)
    with opened(store, 1) as runtime, in_background(lambda: serving(runtime)) as server:
        yield server.address


def test_a_service_that_freezes_after_the_plan_is_named_before_the_caller_gives_up(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = time.monotonic()
    with (
        all_but_segmenting(store, monkeypatch) as address,
        pipeline(store, address, seconds=2) as client,
        pytest.raises(BiosynthCallError, match="SegmentationService, which this call needs, does not answer"),
    ):
        client.run(image=b"x")
    assert time.monotonic() - begin < 6


def test_a_service_that_comes_back_in_time_is_waited_for(store: FolderStore) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    config = ServerConfig(address=address, drain_seconds=0)
    with pipeline(store, address) as client, ThreadPoolExecutor(1) as caller:
        run = caller.submit(client.run, image=b"x")
        time.sleep(1.0)
        with (
            in_background(lambda: running(config, [segmentation(answers)])),
            pytest.raises(BiosynthCallError) as caught,
        ):
            run.result(20)
    # It answered: what is missing is what this server has not.
    assert caught.value.code is not grpc.StatusCode.UNAVAILABLE


def test_a_service_that_refuses_the_pipelines_token_is_no_fault_of_the_caller(
    store: FolderStore, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("right")
    config = ServerConfig(address="127.0.0.1:0", token_file=tmp_path / "token")
    with (
        in_background(lambda: running(config, [segmentation(answers)])) as server,
        pipeline(store, server.address) as client,
        pytest.raises(BiosynthCallError, match=r"\w+Service, which this call needs, refuses") as caught,
    ):
        client.run(image=b"x")
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
