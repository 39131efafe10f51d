"""A call that a server cancels, though its caller did not, is one to repeat."""

from __future__ import annotations

import grpc
import pytest
from biosynth.failures import failure_of


class Ended:
    """A call that ended without details of ours."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return ()


@pytest.mark.parametrize(
    ("code", "details", "passing"),
    [
        (grpc.StatusCode.CANCELLED, "CANCELLED", True),  # by a server that begins to end
        (grpc.StatusCode.CANCELLED, "Locally cancelled by application!", False),
        (grpc.StatusCode.INTERNAL, "RST_STREAM closed stream", True),  # by a gateway
        (grpc.StatusCode.INTERNAL, "something else", False),
    ],
)
def test_what_the_caller_did_not_end_is_repeated(code: grpc.StatusCode, details: str, passing: bool) -> None:
    failure = failure_of(Ended(code, details), "host:1")
    assert failure.is_passing is passing
    assert (failure.error.reason == "CONNECTION_LOST") is passing
