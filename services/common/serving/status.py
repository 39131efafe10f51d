"""Errors as they travel: google.rpc.Status with its details, in a call's trailing metadata."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import grpc
import grpc.aio
from biosynth.status import DOMAIN, REQUEST_ID_KEY, detail_of, is_ours, status_of_call
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from services.common.errors import BiosynthError, ConfigError, DependencyUnavailable
from services.common.serving.logs import REQUEST_ID

# Why the call of this task is refused: the reason of its ErrorInfo, for metrics, logs and traces.
REASON: ContextVar[str] = ContextVar("REASON", default="")
_CODES = {code.name: code for code in grpc.StatusCode}
# gRPC refuses trailing metadata over 8 to 16 KiB, and the caller would see no status at all. Messages may quote input.
_MAX_MESSAGE, _MAX_DESCRIPTION, _MAX_VALUE = 1000, 500, 200
_PUSHBACK_KEY = "grpc-retry-pushback-ms"  # gRPC proposal A6
# Refusals of an argument: their details name its field. The first of them does so always, if need be an empty one.
_ABOUT_ARGUMENTS = ("INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED")
# Codes of a failed call to another service that mean: try again later.
_PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
_log = logging.getLogger(__name__)


class Answered(Exception):  # noqa: N818  (the end of a call, whatever it is)
    """Ends the call with a status that is made already."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


def status_of(error: Exception) -> Status:
    """The status that a call ends with after `error`; long texts are cut and end in `…`.

    A BiosynthError is told in full; a failed call to another biosynth service passes through as it came. Any other
    error is logged with an id, and the caller gets that id and a fixed text: its own message may hold secrets.
    """
    if isinstance(error, Answered):
        return error.status
    if isinstance(error, grpc.aio.AioRpcError):
        return _upstream(error)
    if isinstance(error, BiosynthError):
        return _known(error)
    return _unknown(error)


def renamed(status: Status, fields: Mapping[str, str]) -> Status:
    """The status with other names for fields, and for what lies in them: those of the request that led to the call."""
    answer, found = Status(), BadRequest()
    answer.CopyFrom(status)
    for detail in answer.details:
        if detail.Unpack(found):
            for violation in found.field_violations:
                name = next((name for name in fields if f"{violation.field}.".startswith(f"{name}.")), None)
                if name is not None:
                    violation.field = fields[name] + violation.field.removeprefix(name)
            detail.Pack(found)
    return answer


async def abort(context: grpc.aio.ServicerContext[Any, Any], status: Status) -> None:
    """End the call with `status`; always raises grpc.aio.AbortError."""
    ended = rpc_status.to_status(status)
    REASON.set(info.reason if (info := detail_of(status, ErrorInfo)) else "")
    request_id = (REQUEST_ID_KEY, REQUEST_ID.get())
    await context.abort(ended.code, ended.details, (*ended.trailing_metadata, request_id, *_pushback(status)))


def _pushback(status: Status) -> tuple[tuple[str, str], ...]:
    """RetryInfo as gRPC's own retries read it; -1, which means never, for what RESOURCE_EXHAUSTED says without it.

    Clients are told (service_config.json) to repeat RESOURCE_EXHAUSTED, but a full store does not pass soon.
    """
    retry = detail_of(status, RetryInfo)
    if retry is not None:
        return ((_PUSHBACK_KEY, str(retry.retry_delay.ToMilliseconds())),)
    return ((_PUSHBACK_KEY, "-1"),) if status.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0] else ()


def _known(error: BiosynthError) -> Status:
    if isinstance(error, ConfigError):
        _log.error("%s", error.message)  # for the operator: no caller can mend it
    metadata = {name: _cut(value, _MAX_VALUE) for name, value in error.metadata.items()}
    info = ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    status = _build(_CODES[error.status], _cut(error.message, _MAX_MESSAGE), info)
    if error.retry_seconds is not None:
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_seconds * 1000))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    if error.status in _ABOUT_ARGUMENTS and (error.field or error.status == "INVALID_ARGUMENT"):
        status.details.add().Pack(BadRequest(field_violations=[_violation(error)]))
    return status


def _violation(error: BiosynthError) -> BadRequest.FieldViolation:
    return BadRequest.FieldViolation(field=error.field, description=_cut(error.message, _MAX_DESCRIPTION))


def _upstream(error: grpc.aio.AioRpcError) -> Status:
    """The status for this service's caller after a failed call to another, which channels.py names in a note."""
    failed = getattr(error, "__notes__", ["a service"])[0]
    if error.code() is grpc.StatusCode.UNAUTHENTICATED:
        # Not the caller's fault, whose own credentials were accepted by this service.
        _log.error("%s refuses the token of this service's BIOSYNTH_ENDPOINT_TOKEN_FILE", failed)
        return _known(DependencyUnavailable(f"{failed}, which this call needs, refuses this service's credentials"))
    status = status_of_call(error)
    if status is not None and is_ours(status):
        return status
    if error.code() in _PASSING:
        _log.warning("%s failed: %s %s", failed, error.code().name, error.details())
        return _known(DependencyUnavailable(f"{failed}, which this call needs, does not answer; try again later"))
    return _unknown(error)


def _unknown(error: Exception) -> Status:
    error_id = secrets.token_hex(8)
    _log.error("unexpected error %s", error_id, exc_info=error, extra={"fields": {"error_id": error_id}})
    text = f"unexpected error {error_id}; the server's log has the cause under this id"
    return _build(
        grpc.StatusCode.INTERNAL, text, ErrorInfo(reason="INTERNAL", domain=DOMAIN, metadata={"error_id": error_id})
    )


def _cut(text: str, length: int) -> str:
    """At most `length` characters, and about as many bytes: each byte beyond ASCII is sent as three."""
    data = text.encode(errors="replace")  # half a surrogate pair cannot be encoded
    if len(text) <= length and len(data) <= length * 5 // 4:
        return data.decode()
    return data[: length * 5 // 4].decode(errors="ignore")[: length - 1] + "…"


def _build(code: grpc.StatusCode, message: str, info: ErrorInfo) -> Status:
    status = Status(code=code.value[0], message=message)
    status.details.add().Pack(info)
    return status
