"""Who may call: TLS and mutual TLS on the wire, a bearer token in the metadata."""

from __future__ import annotations

import hmac
import logging
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from services.common.errors import ConfigError, Unauthenticated
from services.common.serving.config import TlsFiles
from services.common.serving.interceptors import Context, Continue, Details, Handler, Refusal
from services.common.serving.status import abort, status_of
from services.common.serving.tokens import Token, TokenFile

HEALTH = "/grpc.health.v1.Health/"  # probes carry no secrets
_QUIET_SECONDS = 60.0  # between two warnings of expired tokens
_log = logging.getLogger(__name__)


class BearerToken(grpc.aio.ServerInterceptor):
    """Refuses calls without `authorization: Bearer TOKEN`, where TOKEN is one of the file's that has not expired."""

    def __init__(self, path: Path, exempt: tuple[str, ...] = (HEALTH,)) -> None:
        """exempt: beginnings of methods that need no token. Raises ConfigError where no token can be used."""
        self._exempt = exempt
        self._file = TokenFile("BIOSYNTH_TOKEN_FILE", path)
        self._warned = -math.inf
        tokens, now = self._file.tokens(), datetime.now(UTC)
        if not any(token.is_good(now) for token in tokens):
            ends = ", ".join(f"line {token.line} at {token.end}" for token in tokens)
            raise ConfigError(f"BIOSYNTH_TOKEN_FILE: expected a token that has not expired, got none: {ends}")

    def end(self) -> datetime | None:
        """From when on every call is refused, unless the file changes; None: never."""
        return self._file.last_end()

    async def intercept_service(self, continuation: Continue, handler_call_details: Details) -> Handler | None:
        """Pass the handler on, or one that refuses before it reads the request.

        Methods that do not exist are refused in the same way: without a token nobody learns what this server has.
        """
        handler = await continuation(handler_call_details)
        if handler_call_details.method.startswith(self._exempt) or self._is_right(handler_call_details):
            return handler
        return Refusal(handler, _refuse)

    def _is_right(self, details: Details) -> bool:
        sent = dict(details.invocation_metadata or ()).get("authorization", "")
        given = sent if isinstance(sent, bytes) else sent.encode()
        # All are compared, each in constant time: the duration must not reveal which one matched.
        matching = [
            token for token in self._file.tokens() if hmac.compare_digest(given, b"Bearer " + token.value.encode())
        ]
        now = datetime.now(UTC)
        if any(token.is_good(now) for token in matching):
            return True
        if matching:
            self._warn(matching[0])
        return False

    def _warn(self, token: Token) -> None:
        """Tell operators which line of their file has expired; the caller does not learn it."""
        if time.monotonic() - self._warned >= _QUIET_SECONDS:
            self._warned = time.monotonic()
            _log.warning("expired token", extra={"fields": {"line": token.line, "end": str(token.end)}})


async def _refuse(_requests: Any, context: Context) -> None:
    text = "expected the metadata `authorization: Bearer TOKEN` with this deployment's token"
    await abort(context, status_of(Unauthenticated(text)))


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """TLS, or mutual TLS where a client CA is named; changed files are picked up with the next connection."""
    served = _read_certificates(files)

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal served
        try:
            found = _read_certificates(files)
        except ConfigError as error:
            _log.warning("keeping the former certificates: %s", error.message)
            return None
        if found == served:
            return None
        served = found
        return _configuration(found)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(served),
        changed,  # type: ignore[arg-type] # the stubs forget None, which means: no change
        require_client_authentication=files.client_ca is not None,
    )


def _read_certificates(files: TlsFiles) -> tuple[bytes, bytes, bytes | None]:
    try:
        client_ca = None if files.client_ca is None else files.client_ca.read_bytes()
        return files.key.read_bytes(), files.certificate.read_bytes(), client_ca
    except OSError as error:
        raise ConfigError(f"BIOSYNTH_TLS_*_FILE: cannot read {error.filename}: {error.strerror}") from None


def _configuration(read: tuple[bytes, bytes, bytes | None]) -> grpc.ServerCertificateConfiguration:
    key, certificate, client_ca = read
    return grpc.ssl_server_certificate_configuration([(key, certificate)], root_certificates=client_ca)
