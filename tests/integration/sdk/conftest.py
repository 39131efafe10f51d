"""A server of fake services, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from biosynth import Client, RetryPolicy

from services.cli.background import in_background
from services.common.serving.config import ServerConfig
from services.common.serving.server import Running, running
from tests.integration.sdk.fakes import Script, services


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def server(script: Script) -> Iterator[Running]:
    config = ServerConfig(address="127.0.0.1:0", drain_seconds=1)
    with in_background(lambda: running(config, services(script))) as server:
        yield server


@pytest.fixture
def waits() -> list[float]:
    """The client's waits before retries, in seconds: recorded, not slept."""
    return []


@pytest.fixture
def client(server: Running, waits: list[float]) -> Iterator[Client]:
    policy = RetryPolicy(retries=3, draw=lambda: 0.5, sleep=waits.append)
    with Client(server.address, timeout_s=30, retries=policy) as client:
        yield client
