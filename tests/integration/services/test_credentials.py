"""Every method of every service against every credential, over TLS and mutual TLS."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import grpc
import pytest

from services.cli.composition import SERVICES
from tests.support.calls import LISTING, call, code
from tests.support.certificates import needs_openssl
from tests.support.credential_matrix import REFLECTION, UNKNOWN, Row, markdown, matrix, methods
from tests.support.secured import RIGHT, TOKENS, SecuredServices, secured_services

pytestmark = needs_openssl
REFUSED = [name for name, token in TOKENS.items() if token != RIGHT]
HEALTH = "/grpc.health.v1.Health/"
OK, UNIMPLEMENTED = grpc.StatusCode.OK, grpc.StatusCode.UNIMPLEMENTED
# What gRPC says of a connection that must fail; a server that refuses a client closes without giving a reason.
CLOSED = "Socket closed|Connection reset|Broken pipe"
REASONS = {
    "in the clear": CLOSED,
    "server's CA unknown": "CERTIFICATE_VERIFY_FAILED",
    "server's expired": "certificate has expired",
    "server's name another": "Hostname Verification Check failed",
    "no client certificate": CLOSED,
    "client's CA unknown": CLOSED,
    "client's expired": CLOSED,
}


@pytest.fixture(scope="module", params=[False, True], ids=["TLS", "mutual TLS"])
def services(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredServices]:
    mutual: bool = request.param
    with secured_services(tmp_path_factory.mktemp("secured"), mutual=mutual, reflection=not mutual) as services:
        yield services


@pytest.fixture(scope="module")
def rows(services: SecuredServices) -> dict[str, Row]:
    """The matrix, by method; making it rotates the token."""
    return {row.method: row for row in matrix(services)}


def test_the_matrix_has_the_methods_of_all_five_services_and_the_server_has_them_too(
    services: SecuredServices, rows: dict[str, Row]
) -> None:
    ours = [method for method in rows if method.startswith("/biosynth.v1.") and method != UNKNOWN]
    assert {method.split("/")[1] for method in ours} == {f"biosynth.v1.{name.title()}Service" for name in SERVICES}
    with services.connect() as channel:
        assert [method for method in ours if call(channel, method, RIGHT).details() == "Method not found!"] == []


def test_every_method_opens_to_the_right_token_alone(rows: dict[str, Row]) -> None:
    for method, row in rows.items():
        assert row.by_token["right"] not in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE), method
        assert {row.by_token[name] for name in REFUSED} == {grpc.StatusCode.UNAUTHENTICATED}, method


def test_refusals_are_the_same_to_the_byte_whatever_was_wrong_and_whether_the_method_exists(
    services: SecuredServices, rows: dict[str, Row]
) -> None:
    def told(channel: grpc.Channel, method: str, name: str) -> tuple[object, ...]:
        ended = call(channel, method, TOKENS[name])
        trailing = [pair for pair in ended.trailing_metadata() if pair[0] != "x-request-id"]
        return ended.code(), ended.details(), *ended.initial_metadata(), *trailing

    with services.connect() as channel:
        assert len({told(channel, method, name) for method in methods() for name in REFUSED}) == 1


def test_a_bad_connection_fails_for_its_reason_and_no_call_comes_through(
    services: SecuredServices, rows: dict[str, Row]
) -> None:
    before = services.calls()
    for name, channel in services.bad_channels().items():
        with channel:
            assert re.search(REASONS[name], call(channel, LISTING, RIGHT).details()), name
    assert services.calls() == before > 0
    for row in rows.values():
        assert set(row.by_connection.values()) == {grpc.StatusCode.UNAVAILABLE}, row.method


def test_reflection_answers_only_where_it_was_asked_for(services: SecuredServices, rows: dict[str, Row]) -> None:
    assert rows[REFLECTION].by_token["right"] is (OK if services.client is None else UNIMPLEMENTED)
    assert rows[UNKNOWN].by_token["right"] is UNIMPLEMENTED


def test_the_port_without_tls_answers_for_health_without_a_token_and_nothing_else(services: SecuredServices) -> None:
    with grpc.insecure_channel(services.health_address) as channel:
        answers = {method: code(channel, method, None) for method in methods()}
    assert {method for method in answers if answers[method] is OK} == {f"{HEALTH}Check", f"{HEALTH}Watch"}
    assert set(answers.values()) == {OK, UNIMPLEMENTED}  # health lists no services either


def test_the_matrix_prints_as_a_table_with_a_line_for_each_method(rows: dict[str, Row]) -> None:
    lines = markdown(list(rows.values())).splitlines()
    assert len(lines) == 2 + len(methods())
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_prometheus_is_shown_when_certificate_and_token_end(services: SecuredServices) -> None:
    registry = services.metrics.registry
    end = registry.get_sample_value("biosynth_tls_certificate_not_after_timestamp_seconds", {"use": "server"})
    assert end == datetime(2020, 1, 2, tzinfo=UTC).timestamp()  # of the second server, which has an expired one
    assert registry.get_sample_value("biosynth_token_not_after_timestamp_seconds", {"use": "server"}) == math.inf
