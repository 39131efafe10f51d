"""A deployment as its callers see it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from biosynth import Client
from biosynth.channel import TlsOptions
from minio import Minio


@dataclass(frozen=True)
class Deployment:
    """Where the gateway is, what callers trust and send, and where its store is."""

    endpoint: str
    secrets: Path
    store: str  # http://host:port, as reached from here
    mutual: bool = False  # asks for a certificate of ours too

    def client(self, timeout_s: float = 300, **options: str | TlsOptions | None) -> Client:
        """A client with the right credentials, unless told otherwise."""
        chosen = {"token": self.secret("token/token"), "tls": self.tls(), **options}
        return Client(self.endpoint, retries=0, timeout_s=timeout_s, **chosen)  # type: ignore[arg-type]

    def tls(self) -> TlsOptions:
        """Whom callers trust, and under mutual TLS who they are."""
        own = self.secrets / "client"
        pair = (own / "tls.crt", own / "tls.key") if self.mutual else (None, None)
        return TlsOptions(self.secrets / "tls" / "ca.crt", *pair)

    def secret(self, name: str) -> str:
        """The text of a secret's file."""
        return (self.secrets / name).read_text().strip()

    def store_root(self) -> Minio:
        """The store's administrator."""
        access, secret = (self.secret(f"store-root/{name}-key") for name in ("access", "secret"))
        return Minio(self.store.removeprefix("http://"), access, secret, secure=False, region="us-east-1")

    def environment(self) -> Mapping[str, str]:
        """What a person sets before `biosynth`."""
        tls = self.tls()
        files = {"CA_FILE": tls.ca, "TOKEN_FILE": self.secrets / "token" / "token"}
        own = {"CERT_FILE": tls.certificate, "KEY_FILE": tls.key} if self.mutual else {}
        return {
            "PATH": os.environ["PATH"],
            "BIOSYNTH_ENDPOINT": self.endpoint,
            **{f"BIOSYNTH_ENDPOINT_{name}": str(path) for name, path in {**files, **own}.items()},
        }
