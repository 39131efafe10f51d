"""Which models are in memory, looked up whenever Prometheus asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_BYTES_OF_A_PARAMETER = 4  # float32


@dataclass(frozen=True)
class ModelInMemory:
    """kind: `generator` or `segmenter`."""

    kind: str
    name: str
    version: str
    parameters: int


class ModelMetrics(Collector):
    """Gauges of the models that the sources have in memory; each service of a process adds its own source."""

    def __init__(self) -> None:
        self._sources: list[Callable[[], Iterable[ModelInMemory]]] = []

    def add(self, source: Callable[[], Iterable[ModelInMemory]]) -> None:
        """source: tells which models it has in memory now; called from Prometheus' thread."""
        self._sources.append(source)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """See Collector.collect."""
        labels = ("kind", "model", "version")
        loaded = GaugeMetricFamily("biosynth_model_loaded", "1 for each model in memory.", labels=labels)
        size = GaugeMetricFamily("biosynth_model_weights_bytes", "Weights of models in memory.", labels=labels)
        for source in self._sources:
            for model in source():
                named = (model.kind, model.name, model.version)
                loaded.add_metric(named, 1)
                size.add_metric(named, model.parameters * _BYTES_OF_A_PARAMETER)
        return loaded, size
