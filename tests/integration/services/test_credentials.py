"""Every method of every service against every credential, over TLS and mutual TLS."""

from __future__ import annotations

import re
from collections.abc import Iterator

import grpc
import pytest

from services.cli.composition import SERVICES
from tests.certificates import needs_openssl
from tests.credential_matrix import HEALTH, LISTING, REFLECTION, UNKNOWN, Row, call, code, markdown, matrix, methods
from tests.secured import RIGHT, TOKENS, Deployment, deployed

pytestmark = needs_openssl
REFUSED = [name for name, token in TOKENS.items() if token != RIGHT]
GUARDED = [method for method in methods() if not method.startswith(HEALTH)]
OK, UNIMPLEMENTED = grpc.StatusCode.OK, grpc.StatusCode.UNIMPLEMENTED
# What gRPC says of a connection that must fail; a server that does not want a client closes without a word.
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
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    mutual: bool = request.param
    with deployed(tmp_path_factory.mktemp("secured"), mutual=mutual, reflection=not mutual) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def rows(deployment: Deployment) -> dict[str, Row]:
    """The matrix, by method; the token is rotated then."""
    return {row.method: row for row in matrix(deployment)}


def test_the_matrix_has_the_methods_of_all_five_services_and_the_server_has_them_too(
    deployment: Deployment, rows: dict[str, Row]
) -> None:
    ours = [method for method in rows if method.startswith("/biosynth.v1.") and method != UNKNOWN]
    assert {method.split("/")[1] for method in ours} == {f"biosynth.v1.{name.title()}Service" for name in SERVICES}
    with deployment.connect() as channel:
        assert [method for method in ours if call(channel, method, RIGHT).details() == "Method not found!"] == []


def test_every_method_but_health_opens_to_the_right_token_alone(rows: dict[str, Row]) -> None:
    for method in GUARDED:
        answers = rows[method].by_token
        assert answers["right"] not in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE), method
        assert {answers[name] for name in REFUSED} == {grpc.StatusCode.UNAUTHENTICATED}, method


def test_refusals_are_the_same_to_the_byte_whatever_was_wrong_and_whether_the_method_exists(
    deployment: Deployment, rows: dict[str, Row]
) -> None:
    def told(channel: grpc.Channel, method: str, name: str) -> tuple[object, ...]:
        ended = call(channel, method, TOKENS[name])
        trailing = [pair for pair in ended.trailing_metadata() if pair[0] != "x-request-id"]
        return ended.code(), ended.details(), *ended.initial_metadata(), *trailing

    with deployment.connect() as channel:
        assert len({told(channel, method, name) for method in GUARDED for name in REFUSED}) == 1


def test_a_bad_connection_fails_for_its_reason_and_no_call_comes_through(
    deployment: Deployment, rows: dict[str, Row]
) -> None:
    before = deployment.calls()
    for name, channel in deployment.misconnect().items():
        with channel:
            assert {code(channel, method, RIGHT) for method in methods()} == {grpc.StatusCode.UNAVAILABLE}, name
            assert re.search(REASONS[name], call(channel, LISTING, RIGHT).details())
    assert deployment.calls() == before > 0
    for row in rows.values():
        assert set(row.by_connection.values()) == {grpc.StatusCode.UNAVAILABLE}, row.method


def test_health_needs_no_token_and_lists_nothing(rows: dict[str, Row]) -> None:
    for name, expected in (("Check", OK), ("Watch", OK), ("List", UNIMPLEMENTED)):
        assert set(rows[HEALTH + name].by_token.values()) == {expected}, name


def test_reflection_answers_only_where_it_was_asked_for(deployment: Deployment, rows: dict[str, Row]) -> None:
    assert rows[REFLECTION].by_token["right"] is (OK if deployment.client is None else UNIMPLEMENTED)
    assert rows[UNKNOWN].by_token["right"] is UNIMPLEMENTED


def test_the_port_without_tls_answers_for_health_and_nothing_else(deployment: Deployment) -> None:
    with grpc.insecure_channel(deployment.health_address) as channel:
        assert code(channel, f"{HEALTH}Check", None) is OK
        assert {code(channel, method, RIGHT) for method in GUARDED} == {UNIMPLEMENTED}


def test_the_matrix_prints_as_a_table_with_a_line_for_each_method(rows: dict[str, Row]) -> None:
    lines = markdown(list(rows.values())).splitlines()
    assert len(lines) == 2 + len(methods())
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
