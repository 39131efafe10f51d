"""Channels to servers: where, with which TLS, and how large a message may be."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

import grpc

from biosynth.contract import MIB, REPLY_BYTES, REQUEST_BYTES
from biosynth.errors import InvalidInputError


@dataclass(frozen=True)
class TlsOptions:
    """PEM files. ca: authorities that may sign the server's certificate (None: the system's).

    certificate, key: the client's own, for mutual TLS. server_name: as in the server's certificate, where it is not
    the endpoint's.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InvalidInputError("mutual TLS needs both certificate and key; got one of them")

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files. Raises OSError where one cannot be read."""
        return grpc.ssl_channel_credentials(
            root_certificates=self.ca.read_bytes() if self.ca else None,
            private_key=self.key.read_bytes() if self.key else None,
            certificate_chain=self.certificate.read_bytes() if self.certificate else None,
        )


def channel_options(
    max_request_bytes: int = REQUEST_BYTES, max_reply_bytes: int = REPLY_BYTES
) -> list[tuple[str, str | int]]:
    """gRPC's options for a channel to a biosynth server."""
    return [
        ("grpc.max_receive_message_length", max_reply_bytes),
        ("grpc.max_send_message_length", max_request_bytes),
        # gRPC repeats no call whose request and metadata fill more than this; its default is 256 KiB.
        ("grpc.per_rpc_retry_buffer_size", max_request_bytes + 4 * MIB),
        ("grpc.lb_policy_name", "round_robin"),  # over all replicas that the name resolves to
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        ("grpc.dns_min_time_between_resolutions_ms", 5_000),  # gRPC's 30 s are long where replicas come and go
        ("grpc.keepalive_time_ms", 60_000),  # so that a vanished server is noticed before the deadline
        ("grpc.keepalive_timeout_ms", 20_000),
    ]


def open_channel(
    endpoint: str,
    tls: TlsOptions | None,
    max_request_bytes: int = REQUEST_BYTES,
    max_reply_bytes: int = REPLY_BYTES,
) -> grpc.Channel:
    """A channel to host:port, dns:///host:port or unix:/path; it connects with the first call."""
    options = channel_options(max_request_bytes, max_reply_bytes)
    if tls is None:
        return grpc.insecure_channel(endpoint, options)
    if tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return grpc.secure_channel(endpoint, tls.credentials(), options)


def check_token_is_safe(endpoint: str, tls: TlsOptions | None) -> None:
    """Raise InvalidInputError where a token would cross a network unencrypted.

    >>> check_token_is_safe("localhost:50051", None)
    >>> check_token_is_safe("example.org:50051", None)
    Traceback (most recent call last):
    biosynth.errors.InvalidInputError: a token to example.org:50051 would travel unencrypted; pass tls=TlsOptions(...)
    """
    if tls is None and not endpoint.startswith("unix:") and not _is_loopback(endpoint):
        raise InvalidInputError(f"a token to {endpoint} would travel unencrypted; pass tls=TlsOptions(...)")


def _is_loopback(endpoint: str) -> bool:
    host = endpoint.rpartition("/")[2].removeprefix("ipv4:").removeprefix("ipv6:").rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
