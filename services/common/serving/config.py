"""The settings that several services share, each group a frozen dataclass read once from a mapping."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from biosynth.channel import TlsOptions
from biosynth.contract import MIB, REQUEST_BYTES

from services.common.errors import ConfigError
from services.common.settings import Settings

_LEVELS = ("debug", "info", "warning", "error")
# host:port, [IPv6]:port; or unix: and an absolute path.
_ADDRESS = re.compile(r"(?:unix:/.+|(?:\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):\d{1,5})")

_COLLECTOR = re.compile(r"https?://[^\s/?#]+:\d{1,5}/?")


@dataclass(frozen=True)
class TlsFiles:
    """PEM files: the server's certificate and key, and, for mutual TLS, the CA of the clients' certificates."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self | None:
        """Read BIOSYNTH_TLS_{CERT,KEY,CLIENT_CA}_FILE; None where none is set."""
        settings = Settings(env)
        names = ("BIOSYNTH_TLS_CERT_FILE", "BIOSYNTH_TLS_KEY_FILE", "BIOSYNTH_TLS_CLIENT_CA_FILE")
        certificate, key, client_ca = (settings.file(name) for name in names)
        if certificate is None and key is None and client_ca is None:
            return None
        if certificate is None or key is None:
            missing = names[0] if certificate is None else names[1]
            raise ConfigError(f"{missing} is not set; TLS needs both {names[0]} and {names[1]}")
        return cls(certificate, key, client_ca)


@dataclass(frozen=True)
class ServerConfig:
    """How one process serves gRPC. Variables: BIOSYNTH_ and the field's name in capitals, but for `tls` (TlsFiles)."""

    address: str = "127.0.0.1:50051"  # host:port (port 0: any free one), or unix:/absolute/path
    metrics_port: int | None = None  # None: no metrics over HTTP; 0: any free one
    reflection: bool = False
    max_message_bytes: int = REQUEST_BYTES  # of requests; replies have at most REPLY_BYTES
    max_in_flight_bytes: int = 256 * MIB  # of all requests that are in work at a time
    memory_bytes: int | None = None  # that the server may take in all; None: the container's limit
    drain_seconds: float = 20.0
    connection_age_seconds: float = 0.0  # 0: no limit; else clients reconnect and find new replicas
    worker_threads: int = 4
    log_level: str = "info"
    tls: TlsFiles | None = None
    token_file: Path | None = None
    health_address: str | None = None  # a second port for health alone, without TLS: the kubelet's probes speak none
    start_wait_seconds: float = 0.0  # how long the start may wait for the store, its bucket and the models
    otlp_endpoint: str | None = None  # http(s)://host:port of the collector that traces are sent to

    def __post_init__(self) -> None:
        check_address("BIOSYNTH_ADDRESS", self.address)
        if self.health_address is not None:
            check_address("BIOSYNTH_HEALTH_ADDRESS", self.health_address)
        if self.otlp_endpoint is not None and not _COLLECTOR.fullmatch(self.otlp_endpoint):
            raise ConfigError(f"BIOSYNTH_OTLP_ENDPOINT: expected http(s)://host:port, got {self.otlp_endpoint!r}")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the configuration. Raises ConfigError, which names the variable."""
        settings = Settings(env)
        config = cls(
            address=settings.text("BIOSYNTH_ADDRESS") or cls.address,
            metrics_port=settings.optional_integer("BIOSYNTH_METRICS_PORT", 0, 65535),
            reflection=settings.flag("BIOSYNTH_REFLECTION", cls.reflection),
            max_message_bytes=settings.integer("BIOSYNTH_MAX_MESSAGE_BYTES", cls.max_message_bytes, MIB, 1024 * MIB),
            max_in_flight_bytes=settings.integer(
                "BIOSYNTH_MAX_IN_FLIGHT_BYTES", cls.max_in_flight_bytes, MIB, 64 * 1024 * MIB
            ),
            memory_bytes=settings.optional_integer("BIOSYNTH_MEMORY_BYTES", 2048 * MIB, 1024**2 * MIB),
            drain_seconds=settings.number("BIOSYNTH_DRAIN_SECONDS", cls.drain_seconds, 0, 3600),
            connection_age_seconds=settings.number(
                "BIOSYNTH_CONNECTION_AGE_SECONDS", cls.connection_age_seconds, 0, 86400
            ),
            worker_threads=settings.integer("BIOSYNTH_WORKER_THREADS", cls.worker_threads, 1, 256),
            log_level=settings.choice("BIOSYNTH_LOG_LEVEL", _LEVELS, cls.log_level),
            tls=TlsFiles.from_env(env),
            token_file=settings.file("BIOSYNTH_TOKEN_FILE"),
            health_address=settings.text("BIOSYNTH_HEALTH_ADDRESS"),
            start_wait_seconds=settings.number("BIOSYNTH_START_WAIT_SECONDS", cls.start_wait_seconds, 0, 3600),
            otlp_endpoint=settings.text("BIOSYNTH_OTLP_ENDPOINT"),
        )
        if settings.flag("BIOSYNTH_REQUIRE_AUTH", False):
            config._check_closed()
        return config

    def _check_closed(self) -> None:
        """Raise ConfigError unless there are TLS and a token, and reflection is off."""
        lacking = [
            *(["BIOSYNTH_TLS_CERT_FILE and BIOSYNTH_TLS_KEY_FILE"] if self.tls is None else []),
            *(["BIOSYNTH_TOKEN_FILE"] if self.token_file is None else []),
            *(["BIOSYNTH_REFLECTION off"] if self.reflection else []),
        ]
        if lacking:
            raise ConfigError(f"BIOSYNTH_REQUIRE_AUTH is on: expected also {', '.join(lacking)}")


@dataclass(frozen=True)
class CallerConfig:
    """How a caller verifies deployed services, and authenticates itself to them."""

    tls: TlsOptions | None = None
    token_file: Path | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read BIOSYNTH_ENDPOINT_{CA,CERT,KEY,TOKEN}_FILE. Raises ConfigError, which names the variable."""
        settings = Settings(env)
        names = [f"BIOSYNTH_ENDPOINT_{what}_FILE" for what in ("CA", "CERT", "KEY")]
        ca, certificate, key = (settings.file(name) for name in names)
        if (certificate is None) != (key is None):
            raise ConfigError(f"expected both {names[1]} and {names[2]} (mutual TLS), or neither; got one of them")
        tls = TlsOptions(ca, certificate, key) if ca or certificate else None
        return cls(tls, settings.file("BIOSYNTH_ENDPOINT_TOKEN_FILE"))


@dataclass(frozen=True)
class EndpointsConfig:
    """Where the pipeline finds the services that it calls, and how it calls them."""

    segmentation: str
    reference: str
    generation: str
    caller: CallerConfig = CallerConfig()

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read BIOSYNTH_{SEGMENTATION,REFERENCE,GENERATION}_ENDPOINT, and what CallerConfig reads."""
        settings = Settings(env)
        endpoints = {
            service: settings.required(f"BIOSYNTH_{service.upper()}_ENDPOINT", "as the address of that service")
            for service in ("segmentation", "reference", "generation")
        }
        return cls(**endpoints, caller=CallerConfig.from_env(env))


def check_address(variable: str, address: str) -> None:
    """Raise ConfigError unless `address` is one that a server can be bound to."""
    port = address.rpartition(":")[2]
    if not _ADDRESS.fullmatch(address) or (not address.startswith("unix:") and int(port) > 65535):
        raise ConfigError(f"{variable}: expected host:port or unix:/absolute/path, got {address!r}")
