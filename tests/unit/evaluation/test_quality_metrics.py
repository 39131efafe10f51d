"""The gauges of the last evaluations, and what a scrape sees while the store does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.common.errors import StoreUnavailable
from services.common.storage.folder import FolderStore
from services.evaluation.model_evaluations import FOLDER, Figure, ModelEvaluation, record_evaluation
from services.evaluation.quality_metrics import QualityMetrics

FIGURES = {"fidelity_mean_ap": Figure(0.625, 0.75), "spectrum_distance": Figure(0.25)}


class Moody(FolderStore):
    """A store that does something of the test's before it lists."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.before: Callable[[], None] = lambda: None
        self.listed = self.read = 0

    def list(self, prefix: str) -> Iterator[str]:
        self.listed += 1
        self.before()
        return super().list(prefix)

    def get(self, key: str, max_bytes: int) -> bytes:
        self.read += 1
        return super().get(key, max_bytes)


@pytest.fixture
def store(tmp_path: Path) -> Moody:
    store = Moody(tmp_path)
    record_evaluation(store, ModelEvaluation("a-b", "2", 1000.5, "results/compare-sets/0", FIGURES))
    return store


def registered(store: Moody, every: float = 0.0, patience: float = 5.0) -> CollectorRegistry:
    registry = CollectorRegistry()
    QualityMetrics(store, registry, every, patience)
    return registry


def scraped(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """Values by the gauge's last words and its labels; the counter's are left out."""
    samples = [sample for metric in registry.collect() if metric.type == "gauge" for sample in metric.samples]
    gauges = [one for one in samples if not one.name.startswith("biosynth_evaluation_read_failures")]
    return {(one.name.removeprefix("biosynth_evaluation_"), *one.labels.values()): one.value for one in gauges}


def failures(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("biosynth_evaluation_read_failures_total")


def test_a_scrape_has_value_ceiling_and_time_and_no_sample_for_what_is_not_known(store: Moody) -> None:
    assert scraped(registered(store)) == {
        ("value", "a-b", "2", "fidelity_mean_ap"): 0.625,
        ("value", "a-b", "2", "spectrum_distance"): 0.25,
        ("ceiling", "a-b", "2", "fidelity_mean_ap"): 0.75,
        ("timestamp_seconds", "a-b", "2"): 1000.5,
    }


def test_nothing_is_read_before_a_scrape_and_then_once_in_its_time(store: Moody) -> None:
    registry = registered(store, every=60)
    assert store.listed == 0
    scraped(registry)
    scraped(registry)
    assert store.listed == 1


def test_a_record_is_read_once_however_often_it_is_shown(store: Moody) -> None:
    registry = registered(store)
    for _ in range(3):
        scraped(registry)
    assert (store.listed, store.read) == (3, 1)


@pytest.mark.parametrize("error", [StoreUnavailable("no answer"), KeyError("a bug")])
def test_a_store_that_fails_is_counted_and_what_was_known_stays(store: Moody, error: Exception) -> None:
    def fails() -> None:
        raise error

    registry = registered(store)
    before = scraped(registry)
    store.before = fails
    assert scraped(registry) == before
    assert failures(registry) == 1


def test_a_store_that_hangs_holds_no_scrape_and_one_thread(store: Moody) -> None:
    answer = threading.Event()

    def hangs() -> None:
        answer.wait(10)

    store.before = hangs
    registry = registered(store, patience=0.05)
    began = time.monotonic()
    for _ in range(20):
        assert scraped(registry) == {}
    assert time.monotonic() - began < 1
    assert store.listed == 1
    answer.set()
    _until(lambda: bool(scraped(registry)))


def test_a_damaged_record_is_counted_and_hides_no_other(store: Moody) -> None:
    store.put(f"{FOLDER}{'0' * 13}_bad_1_{'0' * 16}.json", b"{]", "application/json")
    registry = registered(store)
    assert {labels[1] for labels in scraped(registry)} == {"a-b"}
    assert failures(registry) == 1


def _until(true: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
