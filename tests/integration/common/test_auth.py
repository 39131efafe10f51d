"""Token, TLS and mutual TLS through a real server."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from biosynth.v1.pipeline_pb2 import RunRequest, RunResponse
from biosynth.v1.pipeline_pb2_grpc import PipelineServiceStub
from biosynth.v1.segmentation_pb2 import SegmentRequest
from biosynth.v1.segmentation_pb2_grpc import SegmentationServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.cli.session import open_session
from services.common.errors import ConfigError
from services.common.serving.channels import open_channel
from services.common.serving.config import CallerConfig, ServerConfig, TlsFiles
from services.common.serving.metrics import Metrics
from services.common.serving.server import running
from tests.integration.common.fakes import answers, pipeline, segmentation, served, served_in_background, stub
from tests.support.calls import LISTING, call, code, dial
from tests.support.certificates import Authority, Issued, needs_openssl

OK, UNAVAILABLE, UNAUTHENTICATED = (grpc.StatusCode[name] for name in ("OK", "UNAVAILABLE", "UNAUTHENTICATED"))
NEVER, PAST = "2999-01-01T00:00:00Z", "2020-01-01T00:00:00Z"


def write(path: Path, text: str) -> Path:
    """Replace the file, as a mounted secret is replaced."""
    new = path.with_suffix(".new")
    new.write_text(text)
    return new.replace(path)


@pytest.mark.parametrize("sent", [None, "", "Bearer", "Bearer wrong", "Bearer right ", "bearer right", "right"])
def test_a_call_without_the_token_is_refused(tmp_path: Path, sent: str | None) -> None:
    config = ServerConfig(address="127.0.0.1:0", token_file=write(tmp_path / "token", "right\n"))
    metadata = () if sent is None else (("authorization", sent),)
    with (
        served_in_background(segmentation(answers), config) as (_, channel),
        pytest.raises(grpc.RpcError, match=r"UNAUTHENTICATED[\s\S]*Bearer TOKEN"),
    ):
        SegmentationServiceStub(channel).Segment(SegmentRequest(), metadata=metadata)


def test_refused_calls_are_counted_as_what_they_are_and_their_requests_are_not_read(tmp_path: Path) -> None:
    async def refused(call: Any) -> None:
        with pytest.raises(grpc.aio.AioRpcError, match="UNAUTHENTICATED"):
            await call

    async def first(call: Any) -> None:
        async for _ in call:
            pytest.fail("answered without a token")

    async def main() -> None:
        config = ServerConfig(address="127.0.0.1:0", token_file=write(tmp_path / "token", "right"))
        async with served(segmentation(answers), config, metrics) as channel:
            await refused(stub(channel).Segment(SegmentRequest()))
            await refused(channel.unary_unary("/biosynth.v1.SegmentationService/Segment", bytes, bytes)(b"no message"))
        async with served(pipeline(no_events), config, metrics) as channel:
            await refused(first(PipelineServiceStub(channel).Run(RunRequest())))

    metrics = Metrics()
    asyncio.run(main())
    read = metrics.registry.get_sample_value
    for method, kind, number in (("Segmentation/Segment", "unary", 2), ("Pipeline/Run", "server_stream", 1)):
        service, name = method.split("/")
        labels = {"grpc_type": kind, "grpc_service": f"biosynth.v1.{service}Service", "grpc_method": name}
        assert read("grpc_server_handled_total", labels | {"grpc_code": "UNAUTHENTICATED"}) == number


async def no_events(request: RunRequest, context: Any) -> AsyncIterator[RunResponse]:
    """A run that sends nothing."""
    for _ in range(0):
        yield RunResponse()


def test_the_token_opens_and_health_needs_none(tmp_path: Path) -> None:
    config = ServerConfig(address="127.0.0.1:0", token_file=write(tmp_path / "token", "right\n"))
    with served_in_background(segmentation(answers), config) as (_, channel):
        assert code(channel, LISTING, "right") is OK
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_new_token_counts_at_once_and_a_lost_file_keeps_the_former(tmp_path: Path) -> None:
    path = write(tmp_path / "token", "first")
    with served_in_background(segmentation(answers), ServerConfig("127.0.0.1:0", token_file=path)) as (_, channel):
        write(path, "second")
        assert code(channel, LISTING, "second") is OK
        assert code(channel, LISTING, "first") is UNAUTHENTICATED
        path.unlink()
        assert code(channel, LISTING, "second") is OK


def test_a_rotation_has_a_time_in_which_both_tokens_open(tmp_path: Path) -> None:
    path = write(tmp_path / "token", "former")
    with served_in_background(segmentation(answers), ServerConfig("127.0.0.1:0", token_file=path)) as (_, channel):
        write(path, f"former\nnew {NEVER}\n")  # known before anybody sends it
        assert [code(channel, LISTING, name) for name in ("former", "new")] == [OK] * 2
        write(path, f"new\nformer {NEVER}\n")
        assert [code(channel, LISTING, name) for name in ("former", "new")] == [OK] * 2
        write(path, "new\n")
        assert code(channel, LISTING, "new") is OK
        assert code(channel, LISTING, "former") is UNAUTHENTICATED


def test_a_token_ends_at_its_time_and_only_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "token", "the-old-one")
    with served_in_background(segmentation(answers), ServerConfig("127.0.0.1:0", token_file=path)) as (_, channel):
        assert code(channel, LISTING, "the-old-one") is OK  # connects, so that later calls are quick
        end = datetime.now(UTC) + timedelta(seconds=3)
        write(path, f"the-new-one\nthe-old-one {end.isoformat()}\n")
        assert code(channel, LISTING, "the-old-one") is OK
        time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()))
        for _ in range(3):
            refused = call(channel, LISTING, "the-old-one")
            assert refused.code() is UNAUTHENTICATED and "expired" not in refused.details()
        assert code(channel, LISTING, "the-new-one") is OK
    [warning] = [record for record in caplog.records if record.message == "expired token"]
    assert vars(warning)["fields"] == {"line": 2, "end": str(end)}
    assert "-one" not in caplog.text


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("\n", "expected a file that holds a token"),
        (f"secret {PAST}\n\nsecret {PAST}", "not expired, got none: line 1 at 2020-.*, line 3 at 2020-"),
        ("right\nsecret tomorrow", "line 2: expected TOKEN"),
    ],
)
def test_a_token_file_that_lets_nobody_in_stops_the_start(tmp_path: Path, content: str, what: str) -> None:
    config = ServerConfig(address="127.0.0.1:0", token_file=write(tmp_path / "token", content))
    with (
        pytest.raises(ConfigError, match=f"^BIOSYNTH_TOKEN_FILE: .*{what}") as raised,
        served_in_background(segmentation(answers), config),
    ):
        pass
    assert "secret" not in raised.value.message


def test_a_service_sends_its_files_first_token_and_a_changed_one_with_the_next_call(tmp_path: Path) -> None:
    sent = write(tmp_path / "sent", f"right\nformer {NEVER}\n")
    known = write(tmp_path / "known", "right\n")
    client = CallerConfig(token_file=sent)

    async def main() -> None:
        config = ServerConfig("127.0.0.1:0", token_file=known)
        async with running(config, [segmentation(answers)]) as server, open_channel(server.address, client) as channel:
            assert (await stub(channel).Segment(SegmentRequest())).cached
            write(known, "next")
            write(sent, "next\nright\n")
            assert (await stub(channel).Segment(SegmentRequest())).cached

    asyncio.run(main())


def test_the_command_line_sends_its_files_first_token(tmp_path: Path) -> None:
    sent = write(tmp_path / "sent", f"# ours\nright\nformer {NEVER}\n")
    config = ServerConfig("127.0.0.1:0", token_file=write(tmp_path / "known", "right"))
    with (
        served_in_background(segmentation(answers), config) as (server, _),
        open_session({"BIOSYNTH_ENDPOINT_TOKEN_FILE": str(sent)}, server.address) as session,
    ):
        assert [segmenter.name for segmenter in session.client.list_segmenters()] == ["nuclei"]


def test_methods_that_do_not_exist_are_refused_alike_and_counted_under_one_name(tmp_path: Path) -> None:
    async def main() -> None:
        config = ServerConfig("127.0.0.1:0", token_file=write(tmp_path / "token", "right"))
        async with served(segmentation(answers), config, metrics) as channel:
            for name in ("biosynth.v1.SegmentationService/Nope", "a.made.up.Name/Method"):
                with pytest.raises(grpc.aio.AioRpcError, match="UNAUTHENTICATED"):
                    await channel.unary_unary(f"/{name}", bytes, bytes)(b"")

    metrics = Metrics()
    asyncio.run(main())
    [series] = [family for family in metrics.registry.collect() if family.name == "grpc_server_handled"]
    [total] = [sample for sample in series.samples if sample.name.endswith("_total") and sample.value]
    unknown = dict.fromkeys(("grpc_type", "grpc_service", "grpc_method"), "unknown")
    assert (total.labels, total.value) == (unknown | {"grpc_code": "UNAUTHENTICATED"}, 2)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("pki"))


def answer(address: str, trusted: Authority, client: Issued | None = None) -> grpc.StatusCode:
    with dial(address, trusted, client) as channel:
        return code(channel, LISTING, None)


@needs_openssl
def test_tls_serves_those_who_trust_its_ca_and_nobody_in_the_clear(authority: Authority) -> None:
    issued = authority.issue("server")
    config = ServerConfig(address="localhost:0", tls=TlsFiles(issued.certificate, issued.key))
    with served_in_background(segmentation(answers), config) as (server, in_the_clear):
        assert answer(server.address, authority) is OK
        assert code(in_the_clear, LISTING, None) is UNAVAILABLE


@needs_openssl
def test_mutual_tls_refuses_a_client_without_a_certificate(authority: Authority) -> None:
    issued = authority.issue("server")
    tls = TlsFiles(issued.certificate, issued.key, authority.certificate)
    with served_in_background(segmentation(answers), ServerConfig("localhost:0", tls=tls)) as (server, _):
        assert answer(server.address, authority, authority.issue("client")) is OK
        assert answer(server.address, authority) is UNAVAILABLE


@needs_openssl
def test_a_renewed_certificate_is_served_without_a_restart_and_a_bad_one_is_not(authority: Authority) -> None:
    issued = authority.issue("renewed")
    config = ServerConfig("localhost:0", tls=TlsFiles(issued.certificate, issued.key))
    with served_in_background(segmentation(answers), config) as (server, _):
        former = peer_certificate(server.address, authority)
        issued.certificate.write_text(authority.issue("other").certificate.read_text())  # not this key's
        assert peer_certificate(server.address, authority) == former
        issued.key.unlink()
        assert peer_certificate(server.address, authority) == former
        authority.issue("renewed")
        renewed = peer_certificate(server.address, authority)
    assert former != renewed == issued.certificate.read_text()


@needs_openssl
def test_a_changed_client_ca_counts_from_the_next_connection_on(authority: Authority, tmp_path: Path) -> None:
    issued, client = authority.issue("server"), authority.issue("client")
    client_ca = write(tmp_path / "clients.crt", Authority.create(tmp_path / "theirs").certificate.read_text())
    tls = TlsFiles(issued.certificate, issued.key, client_ca)
    with served_in_background(segmentation(answers), ServerConfig("localhost:0", tls=tls)) as (server, _):
        assert answer(server.address, authority, client) is UNAVAILABLE
        write(client_ca, authority.certificate.read_text())
        assert answer(server.address, authority, client) is OK


def peer_certificate(address: str, trusted: Authority) -> str:
    host, _, port = address.rpartition(":")
    context = ssl.create_default_context(cafile=trusted.certificate)
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        certificate = secure.getpeercert(binary_form=True)
    return ssl.DER_cert_to_PEM_cert(certificate or b"")
