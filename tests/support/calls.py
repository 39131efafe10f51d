"""Calls without a stub, to any method over any channel, and how they end."""

from __future__ import annotations

import random
from typing import Any

import grpc

from tests.support.certificates import Authority, Issued

LISTING = "/biosynth.v1.SegmentationService/ListSegmenters"
PATIENCE_S = 10


def dial(address: str, trusted: Authority, client: Issued | None = None) -> grpc.Channel:
    """A channel over TLS, or over mutual TLS with the client's certificate."""
    pair = (client.key.read_bytes(), client.certificate.read_bytes()) if client else (None, None)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(trusted.certificate.read_bytes(), *pair))


def call(channel: grpc.Channel, method: str, token: str | None, request: bytes = b"") -> Any:
    """Call a method, whichever its kind, and wait for its first answer or its end; returns the call.

    Calls of all kinds look the same on the wire. One that answers is then cancelled, since a stream may be endless.
    """
    metadata = None if token is None else (("authorization", f"Bearer {token}"),)
    stream = channel.stream_stream(method, bytes, bytes)(iter([request]), metadata=metadata, timeout=PATIENCE_S)
    try:
        next(stream, None)
    except grpc.RpcError:
        pass  # the stream itself is this error, and has its code
    else:
        stream.cancel()
    return stream


def code(channel: grpc.Channel, method: str, token: str | None, request: bytes = b"") -> grpc.StatusCode:
    """How the call ends; OK where it was answered."""
    ended: grpc.StatusCode = call(channel, method, token, request).code()
    return grpc.StatusCode.OK if ended is grpc.StatusCode.CANCELLED else ended


def random_bodies(count: int) -> list[bytes]:
    """Bytes that few methods would take for their message; each time the same."""
    draw = random.Random(0)
    return [draw.randbytes(draw.randint(1, 200)) for _ in range(count)]
