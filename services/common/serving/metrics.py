"""Prometheus metrics of a server, in a registry of their own, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from google.protobuf import descriptor_pool
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)

from services.common.errors import ConfigError
from services.common.serving.build_info import add_build_info
from services.common.serving.expiry_metrics import ExpiryMetrics
from services.common.serving.model_metrics import ModelMetrics

# Seconds; from a cached answer to a comparison of large sets of images on two cores.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
# Seconds; from a record in a folder to a large file in a store that is far away.
_STEP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
# Of the steps that work tells of, those that no other histogram has.
_STEPS = ("decode", "encode", "store_get", "store_put", "store_head")
# Reasons of failed calls that alerts ask for.
_FAULTS = (
    *("OVERLOADED", "STORE_UNAVAILABLE", "STORE_REFUSED", "STORE_FULL", "RESULT_DAMAGED", "DEVICE_FULL"),
    "CONFIGURATION",
)


class Metrics:
    """Calls, named and labelled as go-grpc-prometheus does, so that its dashboards fit, and what they leave out.

    A service may add collectors of its own to `registry`; no label may take its value from a caller's text.
    failed: reason is that of the call's ErrorInfo, EXPIRED, CANCELLED, or the code's name where there is none.
    """

    def __init__(self) -> None:
        # In the whole process: they are a series of times beside each counter, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        add_build_info(self.registry)
        self.models = ModelMetrics()
        self.registry.register(self.models)
        self.expiry = ExpiryMetrics()
        self.registry.register(self.expiry)
        method = ("grpc_service", "grpc_method")
        labels = ("grpc_type", *method)
        self.started = Counter("grpc_server_started", "Calls begun.", labels, registry=self.registry)
        self.handled = Counter("grpc_server_handled", "Calls ended.", (*labels, "grpc_code"), registry=self.registry)
        self.seconds = Histogram(
            "grpc_server_handling_seconds", "Time per call.", labels, registry=self.registry, buckets=_BUCKETS
        )
        self.failed = Counter(
            "biosynth_calls_failed", "Calls that ended without a result.", (*method, "reason"), registry=self.registry
        )
        self.calls_in_flight = Gauge("biosynth_calls_in_flight", "Calls in work.", method, registry=self.registry)
        self.bytes_in_flight = Gauge(
            "biosynth_in_flight_bytes", "Requests in work and large replies on their way.", registry=self.registry
        )
        self.step_seconds = Histogram(
            "biosynth_step_seconds", "Time of a step that was done.", ("step",), registry=self.registry,
            buckets=_STEP_BUCKETS,
        )  # fmt: skip

    def show_from_zero(self, service: str) -> None:
        """Show a service's counters before its first call: no rate sees the step to a counter that was not there.

        service: its full name, such as biosynth.v1.SegmentationService. Raises KeyError for one that is unknown.
        """
        for method in descriptor_pool.Default().FindServiceByName(service).methods:
            grpc_type = type_of(method.client_streaming, method.server_streaming)
            self.started.labels(grpc_type, service, method.name)
            for code in grpc.StatusCode:
                self.handled.labels(grpc_type, service, method.name, code.name)
            for reason in _FAULTS:
                self.failed.labels(service, method.name, reason)

    @contextmanager
    def step(self, name: str, since: float) -> Iterator[None]:
        """A watcher of steps.py; times those that are done, not those that failed."""
        yield
        if name in _STEPS:
            self.step_seconds.labels(name).observe(time.monotonic() - since)

    @contextmanager
    def exported(self, host: str, port: int) -> Iterator[int]:
        """Serve the registry at http://host:port/metrics; yields the port, which is a free one for 0."""
        try:
            server, thread = start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            raise ConfigError(f"BIOSYNTH_METRICS_PORT: cannot listen on {host} port {port}: {error.strerror}") from None
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def type_of(request_streaming: bool, response_streaming: bool) -> str:
    """A method's kind as go-grpc-prometheus names it."""
    if request_streaming:
        return "bidi_stream" if response_streaming else "client_stream"
    return "server_stream" if response_streaming else "unary"
