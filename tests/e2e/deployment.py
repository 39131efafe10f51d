"""A deployment as its callers see it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
