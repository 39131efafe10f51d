"""Traces, as a collector receives them from services that are deployed each for itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from biosynth.v1.pipeline_pb2 import RunRequest
from biosynth.v1.pipeline_pb2_grpc import PipelineServiceStub
from biosynth.v1.segmentation_pb2 import SegmentRequest
from biosynth.v1.segmentation_pb2_grpc import SegmentationServiceStub
from biosynth.v1.types_pb2 import Content

from services.cli.background import in_background
from services.cli.composition import Composition
from services.common.errors import ConfigError
from services.common.imaging.images import encode_png
from services.common.serving.config import EndpointsConfig, ServerConfig
from services.common.serving.runtime import Runtime, opened
from services.common.serving.server import Running, running
from services.common.storage.folder import FolderStore
from services.generation.config import GenerationConfig
from tests.integration.common.fakes import answers, segmentation, served_in_background
from tests.support.pictures import nuclei_picture
from tests.support.ports import free_ports

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
EMPTY = EndpointsConfig("localhost:1", "localhost:1", "localhost:1")


@dataclass(frozen=True)
class Seen:
    """A span that came: of which service, its name and kind, what it belongs to, and its attributes."""

    service: str
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]


@dataclass
class Collector:
    """What an OpenTelemetry collector would receive."""

    address: str = ""
    spans: list[Seen] = field(default_factory=list)

    def Export(self, request: Any, context: Any) -> Any:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        for batch in request.resource_spans:
            service = _texts(batch.resource.attributes)["service.name"]
            self.spans += [
                Seen(
                    service, span.name, span.kind, span.trace_id.hex(), span.span_id.hex(),
                    span.parent_span_id.hex(), _texts(span.attributes),
                )
                for scope in batch.scope_spans
                for span in scope.spans
            ]  # fmt: skip
        return ExportTraceServiceResponse()

    def one(self, service: str, name: str) -> Seen:
        found = [span for span in self.spans if (span.service, span.name) == (service, name)]
        assert len(found) == 1, (service, name, sorted((span.service, span.name) for span in self.spans))
        return found[0]

    def above(self, span: Seen) -> list[str]:
        """Services and names from a span's parent up to the first one of the trace."""
        by_id = {one.id: one for one in self.spans}
        names = []
        while (parent := by_id.get(span.parent)) is not None:
            names.append(f"{parent.service}: {parent.name}")
            span = parent
        return names


def _texts(attributes: Any) -> dict[str, str]:
    return {one.key: one.value.string_value for one in attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc", reason="OpenTelemetry is not installed")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import add_TraceServiceServicer_to_server

    server, seen = grpc.server(ThreadPoolExecutor(2)), Collector()
    add_TraceServiceServicer_to_server(seen, server)
    seen.address = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield seen
    server.stop(0).wait()


@asynccontextmanager
async def _deployed(runtime: Runtime, endpoint: str) -> AsyncIterator[str]:
    """The address of a pipeline; it and each of the services that it calls are servers for themselves."""
    config = ServerConfig(address="127.0.0.1:0", drain_seconds=1, otlp_endpoint=endpoint)

    async def start(stack: AsyncExitStack, name: str, endpoints: EndpointsConfig) -> str:
        composition = Composition([name], GenerationConfig(), endpoints)
        services = await stack.enter_async_context(composition.start(runtime))
        return (await stack.enter_async_context(running(config, services))).address

    async with AsyncExitStack() as stack:
        segmenting, drawing, making = [
            await start(stack, name, EMPTY) for name in ("segmentation", "reference", "generation")
        ]
        yield await start(stack, "pipeline", EndpointsConfig(segmenting, drawing, making))


@contextmanager
def pipeline(folder: Path, endpoint: str) -> Iterator[Any]:
    """A stub of that pipeline."""
    store = FolderStore(folder / "store")
    store.check()
    with (
        opened(store, 2) as runtime,
        in_background(lambda: _deployed(runtime, endpoint)) as address,
        grpc.insecure_channel(address) as channel,
    ):
        yield PipelineServiceStub(channel)


def test_one_trace_spans_all_services_from_the_callers_own_span_down_to_the_store(
    collector: Collector, tmp_path: Path
) -> None:
    request = RunRequest(image=Content(file=encode_png(nuclei_picture(96, 96, 5))), segmenter="nuclei-threshold")
    metadata = (("traceparent", f"00-{TRACE}-{CALLER}-01"), ("x-request-id", "mine"))
    with pipeline(tmp_path, collector.address) as stub:
        events = list(stub.Run(request, metadata=metadata, timeout=60))
    assert events[-1].HasField("result")

    assert {span.trace for span in collector.spans} == {TRACE}
    assert {span.service for span in collector.spans} == {"pipeline", "segmentation", "reference", "generation"}
    run = collector.one("pipeline", "biosynth.v1.PipelineService/Run")
    assert run.parent == CALLER
    assert run.attributes["biosynth.request_id"] == "mine"
    for service, method in (
        ("segmentation", "SegmentWithProgress"),
        ("reference", "Render"),
        ("generation", "GenerateWithProgress"),
    ):
        title = f"{service.title()}Service"
        served = f"{service}: biosynth.v1.{title}/{method}"
        above = [served, f"pipeline: {title}", "pipeline: biosynth.v1.PipelineService/Run"]
        assert collector.above(collector.one(service, "wait")) == above
        compute = collector.one(service, "compute")
        assert collector.above(compute) == above
        written = next(span for span in collector.spans if (span.service, span.name) == (service, "store_put"))
        assert collector.above(written) == [f"{service}: compute", *above]


def test_a_refused_call_is_traced_with_its_reason_and_without_what_was_sent(collector: Collector) -> None:
    config = ServerConfig(address="127.0.0.1:0", drain_seconds=1, otlp_endpoint=collector.address)
    with served_in_background(segmentation(answers), config) as (_, channel), pytest.raises(grpc.RpcError):
        channel.unary_unary("/biosynth.v1.Secret/Words", bytes, bytes)(b"")
    span = collector.one("segmentation", "unknown/unknown")
    assert (span.attributes["rpc.response.status_code"], span.attributes["error.type"]) == (
        "UNIMPLEMENTED",
        "NO_SUCH_CALL",
    )
    assert "Secret" not in repr(span)


def test_a_collector_that_is_gone_holds_up_neither_calls_nor_the_end() -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc", reason="OpenTelemetry is not installed")
    endpoint = f"http://127.0.0.1:{free_ports(1)[0]}"
    config = ServerConfig(address="127.0.0.1:0", drain_seconds=1, otlp_endpoint=endpoint)
    begin = time.monotonic()
    with served_in_background(segmentation(answers), config) as (_, channel):
        assert SegmentationServiceStub(channel).Segment(SegmentRequest(), timeout=5).cached
    assert time.monotonic() - begin < 8


def test_without_the_packages_the_variable_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter", None)

    async def start() -> Running:
        config = ServerConfig(address="127.0.0.1:0", otlp_endpoint="http://localhost:4317")
        async with running(config, [segmentation(answers)]) as server:
            return server

    with pytest.raises(ConfigError, match="BIOSYNTH_OTLP_ENDPOINT: expected OpenTelemetry's packages"):
        asyncio.run(start())


def test_without_the_variable_nothing_of_it_is_imported() -> None:
    code = "import sys, services.pipeline.servicer; print([name for name in sys.modules if 'opentelemetry' in name])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"
