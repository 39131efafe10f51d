"""The last evaluation of each model as Prometheus gauges, read from the store, so that every replica shows the same."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.common.errors import ResultDamaged
from services.common.storage.store import Store
from services.evaluation.model_evaluations import ModelEvaluation, newest_keys, read_evaluation

_log = logging.getLogger(__name__)


class QualityMetrics(Collector):
    """Gauges of value, ceiling and time. A scrape never waits long, whatever the store does.

    A scrape shows what was read last. Where that is older than `every_seconds`, a thread of its own reads anew (a store
    that hangs would hold a worker of calls), and the scrape waits for it `patience_seconds`, enough for a store that is
    well. Where reading fails, the former figures stay and the failure is counted. Without scrapes nothing is read.
    """

    def __init__(
        self, store: Store, registry: CollectorRegistry, every_seconds: float = 60.0, patience_seconds: float = 1.0
    ) -> None:
        self._store, self._every, self._patience = store, every_seconds, patience_seconds
        self._failures = Counter(
            "biosynth_evaluation_read_failures", "Failed readings of the last evaluations.", registry=registry
        )
        self._guard = threading.Lock()
        self._reader: threading.Thread | None = None
        self._begun = 0.0
        self._known: dict[str, ModelEvaluation] = {}  # by key: records never change, so each is read once
        registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges, by model and version; they and the metrics are bounded in number (model_evaluations.py)."""
        self._read_if_due()
        labels = ("model", "version")
        value = GaugeMetricFamily(
            "biosynth_evaluation_value", "Figure of the model's last evaluation.", labels=(*labels, "metric")
        )
        ceiling = GaugeMetricFamily(
            "biosynth_evaluation_ceiling",
            "The same figure of real images against real ones.",
            labels=(*labels, "metric"),
        )
        timestamp = GaugeMetricFamily(
            "biosynth_evaluation_timestamp_seconds", "When the model's last evaluation was computed.", labels=labels
        )
        for last in self._known.values():
            timestamp.add_metric((last.name, last.version), last.evaluated_at)
            for metric, figure in last.figures.items():
                value.add_metric((last.name, last.version, metric), figure.value)
                if figure.ceiling is not None:
                    ceiling.add_metric((last.name, last.version, metric), figure.ceiling)
        yield from (value, ceiling, timestamp)

    def _read_if_due(self) -> None:
        with self._guard:
            if self._reader and (self._reader.is_alive() or time.monotonic() - self._begun < self._every):
                return
            # Daemonic: a process that ends waits for no store.
            reader = self._reader = threading.Thread(target=self._read, name="last-evaluations", daemon=True)
            self._begun = time.monotonic()
            reader.start()
        reader.join(self._patience)

    def _read(self) -> None:
        try:
            keys = newest_keys(self._store)
            found = ((key, self._known.get(key) or self._evaluation(key)) for key in keys)
            self._known = {key: evaluation for key, evaluation in found if evaluation is not None}
        except Exception as error:  # noqa: BLE001 - whatever the store does, the next scrape has the service's metrics
            self._failed(error)

    def _evaluation(self, key: str) -> ModelEvaluation | None:
        try:
            return read_evaluation(self._store, key)
        except ResultDamaged as error:  # of one model: the others' are shown
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        self._failures.inc()
        _log.warning("cannot read the last evaluations", extra={"fields": {"error": str(error)}})
