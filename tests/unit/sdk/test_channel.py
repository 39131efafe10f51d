"""Where a token may go, and which TLS options fit together."""

from __future__ import annotations

import pickle
from pathlib import Path

import grpc
import pytest
from biosynth import BiosynthCallError, Client, InvalidInputError, TlsOptions
from biosynth.channel import check_token_is_safe

WORD = "right"


@pytest.mark.parametrize(
    "endpoint", ["unix:/run/b.sock", "localhost:1", "127.0.0.1:50051", "[::1]:1", "ipv4:127.0.0.1:1", "ipv6:[::1]:1"]
)
def test_a_token_may_go_to_this_machine_in_the_clear(endpoint: str) -> None:
    check_token_is_safe(endpoint, None)


@pytest.mark.parametrize("endpoint", ["example.org:443", "10.0.0.7:50051", "dns:///biosynth:50051", "[2001:db8::1]:1"])
def test_a_token_goes_elsewhere_only_encrypted(endpoint: str) -> None:
    with pytest.raises(InvalidInputError, match="unencrypted"):
        Client(endpoint, token=WORD)
    check_token_is_safe(endpoint, TlsOptions())


def test_mutual_tls_needs_certificate_and_key() -> None:
    with pytest.raises(InvalidInputError, match="certificate and key"):
        TlsOptions(certificate=Path("client.crt"))


def test_a_mapping_names_services_that_exist_and_are_used() -> None:
    with pytest.raises(InvalidInputError, match="segmentor"):
        Client({"segmentor": "localhost:1"})
    with (
        Client({"segmentation": "localhost:1"}) as client,
        pytest.raises(InvalidInputError, match="reference service"),
    ):
        client.list_schemas()


def test_an_error_says_code_reason_and_message_and_survives_pickling() -> None:
    error = BiosynthCallError(grpc.StatusCode.NOT_FOUND, "no model x", "UNKNOWN_NAME", {"name": "x"}, "id-1")
    assert str(error) == "NOT_FOUND UNKNOWN_NAME: no model x"
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (str(copy), copy.metadata, copy.request_id) == (str(error), {"name": "x"}, "id-1")
