"""Where objects live, as the settings say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from services.common.errors import ConfigError
from services.common.settings import Settings

_ENDPOINT = re.compile(r"https?://[^\s/?#]+/?")
_BUCKET = re.compile("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class StoreConfig:
    """A bucket of an S3 server and how to reach it; or, where `path` is set, a folder, and all else is unused.

    Raises ConfigError for an endpoint or a bucket's name that is not valid.
    """

    endpoint: str = ""  # http(s)://host[:port], as services reach it
    public_endpoint: str = ""  # as callers reach it; links are signed for this one
    bucket: str = ""
    region: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    ca_file: Path | None = None  # PEM, instead of the public CAs, for a store with a CA of its own
    connect_seconds: float = 2.0
    read_seconds: float = 10.0  # longest silence, not longest transfer
    connections: int = 32
    path: Path | None = None
    access_key_file: Path | None = None  # where the keys came from, which may change while the service runs
    secret_key_file: Path | None = None

    def __post_init__(self) -> None:
        if self.path is not None:
            return
        endpoints = {
            "BIOSYNTH_STORE_ENDPOINT": self.endpoint,
            "BIOSYNTH_STORE_PUBLIC_ENDPOINT": self.public_endpoint,
        }
        for variable, text in endpoints.items():
            if not _ENDPOINT.fullmatch(text):
                raise ConfigError(f"{variable}: expected http(s)://host:port, got {text!r}")
        if not _BUCKET.fullmatch(self.bucket):
            raise ConfigError(
                "BIOSYNTH_STORE_BUCKET: expected 3 to 63 lower-case letters, digits, dots and dashes, "
                f"got {self.bucket!r}"
            )

    @property
    def place(self) -> str:
        """Where the store is, for messages."""
        return str(self.path or f"{self.endpoint}/{self.bucket}")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read BIOSYNTH_STORE and what it needs. Raises ConfigError, which names the variable."""
        settings = Settings(env)
        if settings.choice("BIOSYNTH_STORE", ("folder", "s3"), "folder") == "folder":
            return cls(path=Path(settings.required("BIOSYNTH_STORE_PATH", "as the store's folder")))
        why = "since BIOSYNTH_STORE is s3"
        endpoint = settings.required("BIOSYNTH_STORE_ENDPOINT", why).rstrip("/")
        return cls(
            endpoint=endpoint,
            public_endpoint=(settings.text("BIOSYNTH_STORE_PUBLIC_ENDPOINT") or endpoint).rstrip("/"),
            bucket=settings.required("BIOSYNTH_STORE_BUCKET", why),
            # Always sent: without a region the SDK asks for the bucket's, which least-privilege users may not do.
            region=settings.text("BIOSYNTH_STORE_REGION") or "us-east-1",
            access_key=settings.secret("BIOSYNTH_STORE_ACCESS_KEY", why),
            secret_key=settings.secret("BIOSYNTH_STORE_SECRET_KEY", why),
            access_key_file=settings.file("BIOSYNTH_STORE_ACCESS_KEY_FILE"),
            secret_key_file=settings.file("BIOSYNTH_STORE_SECRET_KEY_FILE"),
            ca_file=settings.file("BIOSYNTH_STORE_CA_FILE"),
        )
