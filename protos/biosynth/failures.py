"""What a failed gRPC call says: its words for people, its reason for programs, and whether to try again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo

from biosynth.errors import BiosynthCallError
from biosynth.status import REQUEST_ID_KEY, detail_of, status_of_call


class EndedCall(Protocol):
    """The part of grpc.Call that tells how it ended."""

    def code(self) -> grpc.StatusCode: ...  # noqa: D102
    def details(self) -> str | None: ...  # noqa: D102
    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...] | None: ...  # noqa: D102


@dataclass(frozen=True)
class Failure:
    """The error to raise, whether the same call may succeed later, and how long the server asks to wait until then."""

    error: BiosynthCallError
    is_passing: bool
    retry_after_s: float = 0.0


def failure_of(call: EndedCall, target: str) -> Failure:
    """Read the status, ErrorInfo and RetryInfo of a call to `target` that ended badly."""
    code, message = call.code(), call.details() or ""
    request_id = str(dict(call.trailing_metadata() or ()).get(REQUEST_ID_KEY, ""))
    status = status_of_call(call)
    info = None if status is None else detail_of(status, ErrorInfo)
    if status is None or info is None:
        message, reason = _explained(code, message, target)
        error = BiosynthCallError(code, message, reason, request_id=request_id)
        # The status is gRPC's own. A message over the limit stays too large however often it is sent.
        passing = (
            code is grpc.StatusCode.UNAVAILABLE
            or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and reason != "MESSAGE_TOO_LARGE")
            or reason == "CONNECTION_LOST"
        )
        return Failure(error, passing)
    refused = detail_of(status, BadRequest) or BadRequest()
    fields = {violation.field: violation.description for violation in refused.field_violations}
    error = BiosynthCallError(code, message, info.reason, dict(info.metadata), request_id, fields)
    retry = detail_of(status, RetryInfo)
    passing = code is grpc.StatusCode.UNAVAILABLE or retry is not None
    return Failure(error, passing, retry.retry_delay.ToTimedelta().total_seconds() if retry is not None else 0.0)


def _explained(code: grpc.StatusCode, text: str, target: str) -> tuple[str, str]:
    """What gRPC itself says, with what to do about it; and a reason for programs."""
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in text:
        advice = "upload the file, or ask for DELIVERY_OBJECT; or raise the limit on both sides"
        return f"a message is over the limit ({text}); {advice}", "MESSAGE_TOO_LARGE"
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"no server answers at {target} ({text}); check the endpoint and the TLS options", "NO_SERVER"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"{target} did not answer in time; allow more with timeout_s", "TIMEOUT"
    if code is grpc.StatusCode.UNIMPLEMENTED:
        # One service alone offers its own calls only.
        advice = "name the address of a whole deployment (its gateway), or an endpoint for each service"
        return f"the server at {target} does not offer this call ({text}); {advice}", "NO_SUCH_CALL"
    if code is grpc.StatusCode.CANCELLED and text == "CANCELLED":
        # By the server, for calls that come in the moment in which it begins to end.
        return f"the server at {target} ended before it took the call", "CONNECTION_LOST"
    if code is grpc.StatusCode.INTERNAL and "RST_STREAM" in text:
        # What a gateway says when it has lost a service in mid-answer; nearer by, gRPC says UNAVAILABLE.
        return f"the service behind {target} was lost before the end of its answer ({text})", "CONNECTION_LOST"
    return text, ""
