"""Metrics over HTTP."""

from __future__ import annotations

import urllib.request

import pytest

from services.common.errors import ConfigError
from services.common.serving.metrics import Metrics
from services.common.serving.model_metrics import ModelMetrics, ServedModel


def read(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        text: str = response.read().decode()
    return text


def test_each_server_has_a_registry_of_its_own() -> None:
    one, other = Metrics(), Metrics()
    one.started.labels("unary", "a.B", "C").inc()
    sample = ("grpc_server_started_total", {"grpc_type": "unary", "grpc_service": "a.B", "grpc_method": "C"})
    assert one.registry.get_sample_value(*sample) == 1
    assert other.registry.get_sample_value(*sample) is None


def test_the_registry_is_served_on_a_free_port_and_gone_afterwards() -> None:
    metrics = Metrics()
    metrics.handled.labels("unary", "a.B", "C", "OK").inc()
    with metrics.exported("127.0.0.1", 0) as port:
        assert 'grpc_server_handled_total{grpc_code="OK",grpc_method="C"' in read(port)
    with pytest.raises(OSError, match="refused"):
        read(port)


def test_a_port_in_use_names_the_variable() -> None:
    with (
        Metrics().exported("127.0.0.1", 0) as port,
        pytest.raises(ConfigError, match=f"BIOSYNTH_METRICS_PORT.*{port}"),
        Metrics().exported("127.0.0.1", port),
    ):
        pass


def test_a_version_that_is_not_in_memory_is_shown_all_the_same() -> None:
    metrics = ModelMetrics()
    metrics.add(lambda: [ServedModel("generator", "mine", "1", 1000, in_memory=False)])
    loaded, size = metrics.collect()
    assert [(sample.labels["version"], sample.value) for sample in loaded.samples] == [("1", 0)]
    assert not size.samples
