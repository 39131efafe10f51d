"""gRPC's own retries, by the service config that callers without the SDK paste."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from importlib.resources import files

import grpc
import pytest
from biosynth import RetryPolicy
from biosynth.channel import channel_options
from biosynth.v1.segmentation_pb2 import ListSegmentersRequest, SegmentRequest
from biosynth.v1.segmentation_pb2_grpc import SegmentationServiceStub
from biosynth.v1.types_pb2 import Content, Delivery

from services.common.errors import Overloaded, ShuttingDown, StoreFull
from services.common.serving.server import Running
from tests.integration.sdk.fakes import Script

CONFIG = (files("biosynth") / "service_config.json").read_text(encoding="utf-8")


@pytest.fixture
def stub(server: Running) -> Iterator[SegmentationServiceStub]:
    with grpc.insecure_channel(server.address, [("grpc.service_config", CONFIG)]) as channel:
        yield SegmentationServiceStub(channel)


def test_a_refused_call_is_repeated_when_the_server_said_it_may_be(
    stub: SegmentationServiceStub, script: Script
) -> None:
    script.failures = [Overloaded("too many", retry_seconds=0.9), ShuttingDown("ends", retry_seconds=0.001)]
    begin = time.monotonic()
    stub.ListSegmenters(ListSegmentersRequest(), timeout=20)
    assert len(script.requests) == 3
    assert 0.9 <= time.monotonic() - begin < 5  # the policy's own first waits are 0.25 and 0.5 s at most


def test_a_large_request_is_repeated_too(server: Running, script: Script) -> None:
    script.failures = [ShuttingDown("ends", retry_seconds=0.001)]
    request = SegmentRequest(image=Content(file=bytes(2**20)), delivery=Delivery.DELIVERY_RASTER)
    with grpc.insecure_channel(server.address, [*channel_options(), ("grpc.service_config", CONFIG)]) as channel:
        SegmentationServiceStub(channel).Segment(request, timeout=20)
    assert script.requests == [request, request]


def test_what_does_not_pass_is_not_repeated(stub: SegmentationServiceStub, script: Script) -> None:
    script.failures = [StoreFull("no room")]
    with pytest.raises(grpc.RpcError, match="no room"):
        stub.ListSegmenters(ListSegmentersRequest(), timeout=20)
    assert len(script.requests) == 1


def test_it_says_what_the_sdk_does() -> None:
    [method] = json.loads(CONFIG)["methodConfig"]
    policy, ours = method["retryPolicy"], RetryPolicy()
    assert policy["maxAttempts"] == 1 + ours.retries
    assert policy["initialBackoff"] == f"{ours.first_s:g}s"
    assert policy["maxBackoff"] == f"{ours.longest_s:g}s"
