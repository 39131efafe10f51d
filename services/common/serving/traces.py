"""Traces by OpenTelemetry, sent to a collector by OTLP. Where they are off, nothing of it is imported."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from services.common.errors import ConfigError
from services.common.serving.auth import HEALTH
from services.common.serving.interceptors import Around, Call, names, observed, reason_of
from services.common.serving.logs import REQUEST_ID
from services.common.steps import WATCHERS

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

# Set for each call that is traced; carried into threads and tasks.
TRACER: ContextVar[Tracer | None] = ContextVar("TRACER", default=None)
# A collector that is gone must not hold up the end of a process.
_COLLECTOR_SECONDS = 2.0


class Tracer:
    """Makes spans, each a child of the one that this task or thread is in."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._tracer, self._wire = provider.get_tracer("biosynth"), TraceContextTextMapPropagator()
        self._kinds, self._with_span = SpanKind, set_span_in_context

    def received(self, name: str, metadata: Mapping[str, str]) -> AbstractContextManager[Span]:
        """A span of a call that came, a child of its caller's where the metadata tell of that."""
        return self._open(name, context=self._wire.extract(metadata), kind=self._kinds.SERVER)

    @contextmanager
    def sent(self, name: str) -> Iterator[dict[str, str]]:
        """A span of a call to another service; yields what the call carries, so that its spans are children of this."""
        # Not the present one: a stream's responses may be read, and its end seen, in other contexts than this.
        span = self._tracer.start_span(name, kind=self._kinds.CLIENT)
        carrier: dict[str, str] = {}
        self._wire.inject(carrier, context=self._with_span(span))
        try:
            yield carrier
        finally:
            span.end()

    def step(self, name: str, since: float) -> AbstractContextManager[Span]:
        """A watcher of steps.py."""
        return self._open(name, start_time=time.time_ns() - round((time.monotonic() - since) * 1e9))

    def _open(self, name: str, **options: Any) -> AbstractContextManager[Span]:
        # Errors may quote what callers sent; the reason is enough.
        span: AbstractContextManager[Span] = self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False, **options
        )
        return span


class Traces(Around):
    """A span for each call but those of health."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def around(self, call: Call) -> Any:
        """Open the span; the variables need no reset, since each call has its own task and context."""
        if call.method.startswith(HEALTH):
            return await call.invoke()
        metadata = {key: value for key, value in call.context.invocation_metadata() or () if isinstance(value, str)}
        with self._tracer.received("/".join(names(call.grpc_type, call.method)), metadata) as span:
            TRACER.set(self._tracer)
            WATCHERS.set((*WATCHERS.get(), self._tracer.step))
            span.set_attribute("biosynth.request_id", REQUEST_ID.get())
            return await observed(call, partial(_ended, span))


def _ended(span: Span, code: str) -> None:
    from opentelemetry.trace import StatusCode

    span.set_attribute("rpc.system", "grpc")
    span.set_attribute("rpc.response.status_code", code)
    if code != "OK":
        span.set_attribute("error.type", reason_of(code))
        span.set_status(StatusCode.ERROR)


def calling(name: str) -> AbstractContextManager[dict[str, str]]:
    """To be open around a call to another service, which carries what it yields: nothing where nobody traces."""
    tracer = TRACER.get()
    return nullcontext({}) if tracer is None else tracer.sent(name)


@contextmanager
def traced(endpoint: str | None, services: Sequence[str]) -> Iterator[list[Traces]]:
    """The interceptor that traces calls, in a list that is empty without an endpoint; spans are sent when it ends.

    endpoint: http(s)://host:port of a collector. services: full names of those that the process serves. Raises
    ConfigError where OpenTelemetry is not installed.
    """
    if endpoint is None:
        yield []
        return
    name = services[0].rpartition(".")[2].removesuffix("Service").lower() if len(services) == 1 else "biosynth"
    provider = _open_provider(endpoint, name)
    try:
        yield [Traces(Tracer(provider))]
    finally:
        provider.shutdown()


def _open_provider(endpoint: str, service: str) -> TracerProvider:
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"BIOSYNTH_OTLP_ENDPOINT: expected OpenTelemetry's packages, which services/requirements pins; got {error}"
        ) from None
    exporter = OTLPSpanExporter(endpoint, insecure=endpoint.startswith("http:"), timeout=_COLLECTOR_SECONDS)
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
