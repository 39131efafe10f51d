"""Prometheus metrics of a server, in a registry of their own, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

from services.common.errors import ConfigError

# Seconds; from a cached answer to a comparison of large sets of images on two cores.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)


class Metrics:
    """The counters of calls, named and labelled as go-grpc-prometheus does, so that its dashboards fit.

    A service may add collectors of its own to `registry`; no label may take its value from a caller's text.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("grpc_type", "grpc_service", "grpc_method")
        self.started = Counter("grpc_server_started", "Calls begun.", labels, registry=self.registry)
        self.handled = Counter("grpc_server_handled", "Calls ended.", (*labels, "grpc_code"), registry=self.registry)
        self.seconds = Histogram(
            "grpc_server_handling_seconds", "Time per call.", labels, registry=self.registry, buckets=_BUCKETS
        )

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
