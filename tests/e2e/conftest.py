"""A deployment to test: `make up` or a cluster; its address and secrets come from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from biosynth import Client
from biosynth.channel import TlsOptions


@dataclass(frozen=True)
class Deployment:
    """Where the pipeline is, what callers trust and send, and where its store is."""

    endpoint: str
    secrets: Path
    store: str  # http://host:port, as reached from here

    def client(self, **options: str | TlsOptions | None) -> Client:
        """A client with the right credentials, unless told otherwise."""
        chosen = {"token": self.secret("token/token"), "tls": TlsOptions(self.secrets / "tls" / "ca.crt"), **options}
        return Client(self.endpoint, retries=0, timeout_s=300, **chosen)  # type: ignore[arg-type]

    def secret(self, name: str) -> str:
        """The text of a secret's file."""
        return (self.secrets / name).read_text().strip()

    def environment(self) -> Mapping[str, str]:
        """What a person sets before `biosynth`."""
        return {
            "PATH": os.environ["PATH"],
            "BIOSYNTH_ENDPOINT": self.endpoint,
            "BIOSYNTH_ENDPOINT_CA_FILE": str(self.secrets / "tls" / "ca.crt"),
            "BIOSYNTH_ENDPOINT_TOKEN_FILE": str(self.secrets / "token" / "token"),
        }


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    settings = [os.environ.get(f"BIOSYNTH_TEST_{name}", "") for name in ("ENDPOINT", "SECRETS", "STORE")]
    if not all(settings):
        pytest.skip("no deployment is named: `make test-compose` and `make test-cluster` name theirs")
    endpoint, secrets, store = settings
    return Deployment(endpoint, Path(secrets), store)


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
