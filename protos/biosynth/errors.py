"""The errors that the client raises."""

from __future__ import annotations

from collections.abc import Mapping

import grpc


class BiosynthCallError(Exception):
    """A call that failed, after such retries as make sense.

    code: the gRPC status. message: what was expected, what came and what to do. reason: a word for programs, such as
    UNKNOWN_NAME; "" where the server gave none. metadata: names and values that belong to the reason. request_id: the
    call's id in the server's log; "" where the call reached no server. fields: paths of the request's fields that were
    refused, such as `appearance.noise`, each with what was expected; "": the request as a whole.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        request_id: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code, message, reason, metadata, request_id, fields)  # all of them, so that it can be pickled
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.request_id = request_id
        self.fields = dict(fields or {})

    def __str__(self) -> str:
        reason = f" {self.reason}" if self.reason else ""
        return f"{self.code.name}{reason}: {self.message}"


class InvalidInputError(ValueError):
    """An argument that no server would accept; nothing was sent."""


class ScalingWarning(UserWarning):
    """An image of other numbers than 8 or 16 bit was sent as 16 bit; `biosynth.scaled` does it without this warning."""
