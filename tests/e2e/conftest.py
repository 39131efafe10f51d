"""A deployment to test: `make up` or a cluster; its address and secrets come from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from biosynth import Client

from tests.e2e.deployment import Deployment


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    settings = [os.environ.get(f"BIOSYNTH_TEST_{name}", "") for name in ("ENDPOINT", "SECRETS", "STORE")]
    if not all(settings):
        pytest.skip("no deployment is named: `make test-compose` and `make test-cluster` name theirs")
    endpoint, secrets, store = settings
    return Deployment(endpoint, Path(secrets), store, mutual=bool(os.environ.get("BIOSYNTH_TEST_MTLS")))


@pytest.fixture(scope="session")
def prometheus() -> str:
    address = os.environ.get("BIOSYNTH_TEST_PROMETHEUS", "")
    if not address:
        pytest.skip("no Prometheus is named: `make test-compose` names its own")
    return address


@pytest.fixture
def client(deployment: Deployment) -> Iterator[Client]:
    with deployment.client() as client:
        yield client
