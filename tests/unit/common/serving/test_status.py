"""Domain errors as statuses."""

from __future__ import annotations

from urllib.parse import quote

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from services.common import errors
from services.common.errors import BiosynthError, UnknownName
from services.common.serving.status import status_of

DOMAIN_ERRORS = [
    error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, BiosynthError)
]


@pytest.mark.parametrize("error", DOMAIN_ERRORS)
def test_every_domain_error_has_a_status_that_grpc_knows_and_its_reason(error: type[BiosynthError]) -> None:
    status = status_of(error("expected this, got that", key="inputs/a"))
    assert status.code == grpc.StatusCode[error.status].value[0]
    assert status.message == "expected this, got that"
    assert error.reason.encode() in status.details[0].value


@pytest.mark.parametrize("error", [error for error in DOMAIN_ERRORS if error.status == "UNAVAILABLE"])
def test_what_is_unavailable_says_when_to_ask_again(error: type[BiosynthError]) -> None:
    assert status_of(error("later")).details[1].type_url.endswith("google.rpc.RetryInfo")


@pytest.mark.parametrize("text", ["x" * 100_000, "細" * 100_000, "\n" * 100_000, "\ud800" * 100_000])
def test_long_words_are_cut_so_that_the_status_fits_into_trailing_metadata(text: str) -> None:
    status = status_of(UnknownName(f"expected a model, got {text}", field="model", got=text, known=text))
    assert status.message.startswith("expected a model, got ")
    assert status.message.endswith("…")
    assert 300 < len(status.message) <= 1000
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert len(info.metadata["got"]) <= 200
    # As they travel: the text percent-encoded, the details in Base64.
    assert len(quote(status.message)) + len(status.SerializeToString()) * 4 / 3 < 8000


def test_words_of_just_the_right_length_stay_whole() -> None:
    assert status_of(UnknownName("x" * 999 + "µ")).message == "x" * 999 + "µ"


def test_an_unexpected_error_keeps_its_words_to_itself(caplog: pytest.LogCaptureFixture) -> None:
    status = status_of(RuntimeError("password 1234"))
    assert status.code == grpc.StatusCode.INTERNAL.value[0]
    assert b"1234" not in status.SerializeToString()
    (record,) = caplog.records
    assert record.fields["error_id"] in status.message  # type: ignore[attr-defined]
    assert "password 1234" in caplog.text
