"""Token, TLS and mutual TLS through a real server."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
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

from services.common.config import ServerConfig, TlsFiles
from services.common.errors import ConfigError
from services.common.metrics import Metrics
from tests.integration.common.fakes import answers, pipeline, segmentation, served, served_in_background, stub


def write(path: Path, text: str) -> Path:
    """Replace the file, as a mounted secret is replaced."""
    new = path.with_suffix(".new")
    new.write_text(text)
    return new.replace(path)


def code(channel: grpc.Channel, authorization: str | None) -> grpc.StatusCode:
    metadata = () if authorization is None else (("authorization", authorization),)
    _, call = SegmentationServiceStub(channel).Segment.with_call(SegmentRequest(), metadata=metadata, timeout=5)
    return call.code()


@pytest.mark.parametrize("sent", [None, "", "Bearer", "Bearer wrong", "Bearer right ", "bearer right", "right"])
def test_a_call_without_the_token_is_refused(tmp_path: Path, sent: str | None) -> None:
    config = ServerConfig(address="127.0.0.1:0", token_file=write(tmp_path / "token", "right\n"))
    with (
        served_in_background(segmentation(answers), config) as (_, channel),
        pytest.raises(grpc.RpcError, match=r"UNAUTHENTICATED[\s\S]*Bearer TOKEN"),
    ):
        code(channel, sent)


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
    """A run without a word."""
    for _ in range(0):
        yield RunResponse()


def test_the_token_opens_and_health_needs_none(tmp_path: Path) -> None:
    config = ServerConfig(address="127.0.0.1:0", token_file=write(tmp_path / "token", "right\n"))
    with served_in_background(segmentation(answers), config) as (_, channel):
        assert code(channel, "Bearer right") is grpc.StatusCode.OK
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_new_token_counts_at_once_and_a_lost_file_keeps_the_former(tmp_path: Path) -> None:
    path = write(tmp_path / "token", "first")
    with served_in_background(segmentation(answers), ServerConfig("127.0.0.1:0", token_file=path)) as (_, channel):
        write(path, "second")
        assert code(channel, "Bearer second") is grpc.StatusCode.OK
        with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
            code(channel, "Bearer first")
        path.unlink()
        assert code(channel, "Bearer second") is grpc.StatusCode.OK


def test_an_empty_token_file_stops_the_start(tmp_path: Path) -> None:
    config = ServerConfig(address="127.0.0.1:0", token_file=write(tmp_path / "token", "\n"))
    with (
        pytest.raises(ConfigError, match="BIOSYNTH_TOKEN_FILE"),
        served_in_background(segmentation(answers), config),
    ):
        pass


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def issue(folder: Path, name: str) -> None:
    """A key and a certificate of `folder`'s CA for localhost."""
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "2",
            "-copy_extensions", "copy", "-out", f"{name}.crt")  # fmt: skip


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is needed to make certificates")
    folder = tmp_path_factory.mktemp("pki")
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.crt")  # fmt: skip
    for name in ("server", "client"):
        issue(folder, name)
    return folder


def dial(address: str, pki: Path, *, as_client: bool = False) -> grpc.StatusCode:
    read = {name: (pki / name).read_bytes() for name in ("ca.crt", "client.key", "client.crt")}
    pair = (read["client.key"], read["client.crt"]) if as_client else (None, None)
    with grpc.secure_channel(address, grpc.ssl_channel_credentials(read["ca.crt"], *pair)) as channel:
        return code(channel, None)


def test_tls_serves_those_who_trust_its_ca_and_nobody_in_the_clear(pki: Path) -> None:
    config = ServerConfig(address="localhost:0", tls=TlsFiles(pki / "server.crt", pki / "server.key"))
    with served_in_background(segmentation(answers), config) as (server, in_the_clear):
        assert dial(server.address, pki) is grpc.StatusCode.OK
        with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
            code(in_the_clear, None)


def test_mutual_tls_refuses_a_client_without_a_certificate(pki: Path) -> None:
    tls = TlsFiles(pki / "server.crt", pki / "server.key", pki / "ca.crt")
    with served_in_background(segmentation(answers), ServerConfig("localhost:0", tls=tls)) as (server, _):
        assert dial(server.address, pki, as_client=True) is grpc.StatusCode.OK
        with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
            dial(server.address, pki)


def test_a_renewed_certificate_is_served_without_a_restart(pki: Path, tmp_path: Path) -> None:
    shutil.copytree(pki, tmp_path, dirs_exist_ok=True)
    config = ServerConfig("localhost:0", tls=TlsFiles(tmp_path / "server.crt", tmp_path / "server.key"))
    with served_in_background(segmentation(answers), config) as (server, _):
        before = peer_certificate(server.address, tmp_path)
        issue(tmp_path, "server")
        after = peer_certificate(server.address, tmp_path)
    assert before != after
    assert after == (tmp_path / "server.crt").read_text()


def peer_certificate(address: str, pki: Path) -> str:
    host, _, port = address.rpartition(":")
    context = ssl.create_default_context(cafile=pki / "ca.crt")
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        certificate = secure.getpeercert(binary_form=True)
    return ssl.DER_cert_to_PEM_cert(certificate or b"")
