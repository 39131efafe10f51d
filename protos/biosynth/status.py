"""The google.rpc.Status with which a biosynth server ends a call that failed."""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

DOMAIN = "biosynth"
REQUEST_ID_KEY = "x-request-id"
T = TypeVar("T", bound=Message)


def status_of_call(call: Any) -> Status | None:
    """The status in a failed call or in the error it raised; None where there is none that can be read."""
    try:
        status: Status | None = rpc_status.from_call(call)
    except (ValueError, DecodeError):  # it contradicts the call's own code and text, or is damaged
        return None
    return status


def detail_of(status: Status, kind: type[T]) -> T | None:
    """The first of a status's details that is of this kind, such as ErrorInfo or RetryInfo."""
    found = kind()
    try:
        return found if any(detail.Unpack(found) for detail in status.details) else None
    except DecodeError:
        return None


def is_ours(status: Status) -> bool:
    """Whether a biosynth server made the status, and not gRPC or a proxy."""
    info = detail_of(status, ErrorInfo)
    return info is not None and info.domain == DOMAIN
