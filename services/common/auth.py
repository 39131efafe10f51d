"""Who may call: TLS and mutual TLS on the wire, a bearer token in the metadata."""

from __future__ import annotations

import hmac
import logging
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from services.common.config import TlsFiles
from services.common.errors import ConfigError, Unauthenticated
from services.common.interceptors import Context, Continue, Details, Handler, Refusal
from services.common.status import abort, status_of

_EXEMPT = "/grpc.health.v1.Health/"  # probes carry no secrets
_log = logging.getLogger(__name__)


class BearerToken(grpc.aio.ServerInterceptor):
    """Refuses calls without `authorization: Bearer TOKEN`; the token's file is read again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._read_stamp()
        self._token = self._read()

    async def intercept_service(self, continuation: Continue, handler_call_details: Details) -> Handler | None:
        """Pass the handler on, or one that refuses before it reads the request."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(_EXEMPT) or self._is_right(handler_call_details):
            return handler
        return Refusal(handler, _refuse)

    def _is_right(self, details: Details) -> bool:
        sent = dict(details.invocation_metadata or ()).get("authorization", "")
        given = sent if isinstance(sent, bytes) else sent.encode()
        return hmac.compare_digest(given, b"Bearer " + self._current())

    def _current(self) -> bytes:
        stamp = self._read_stamp()
        if stamp != self._stamp:
            try:
                self._token, self._stamp = self._read(), stamp
            except ConfigError as error:  # a rotation that went wrong must not open the door, nor end the service
                _log.warning("keeping the former token: %s", error.message)
        return self._token

    def _read_stamp(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def _read(self) -> bytes:
        try:
            token = self._path.read_bytes().strip()
        except OSError as error:
            raise ConfigError(f"BIOSYNTH_TOKEN_FILE: cannot read {self._path}: {error.strerror}") from None
        if not token:
            raise ConfigError(
                f"BIOSYNTH_TOKEN_FILE: expected a file that holds a token, got an empty one: {self._path}"
            )
        return token


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
