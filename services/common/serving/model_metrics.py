"""Which models a process answers with and which of them are in memory, looked up whenever Prometheus asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_BYTES_OF_A_PARAMETER = 4  # float32


@dataclass(frozen=True)
class ServedModel:
    """kind: `generator` or `segmenter`. in_memory: else it is loaded at its first use."""

    kind: str
    name: str
    version: str
    parameters: int
    in_memory: bool = True


class ModelMetrics(Collector):
    """Gauges of the models that the sources answer with; each service of a process adds its own source."""

    def __init__(self) -> None:
        self._sources: list[Callable[[], Iterable[ServedModel]]] = []

    def add(self, source: Callable[[], Iterable[ServedModel]]) -> None:
        """source: tells which models callers may ask it for now; called from Prometheus' thread."""
        self._sources.append(source)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """See Collector.collect."""
        labels = ("kind", "model", "version")
        loaded = GaugeMetricFamily("biosynth_model_loaded", "1: in memory; 0: loaded when asked for.", labels=labels)
        size = GaugeMetricFamily("biosynth_model_weights_bytes", "Weights of models in memory.", labels=labels)
        for source in self._sources:
            for model in source():
                named = (model.kind, model.name, model.version)
                loaded.add_metric(named, int(model.in_memory))
                if model.in_memory:
                    size.add_metric(named, model.parameters * _BYTES_OF_A_PARAMETER)
        return loaded, size
