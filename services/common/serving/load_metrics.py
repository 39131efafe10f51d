"""What a server has to do, and how it gets on: Prometheus metrics of computations and of stored results."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Seconds; from a small image to one of 100 megapixels, which takes five minutes on two cores, or a comparison of sets.
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 3600)


class LoadMetrics:
    """operation: a word of ours, such as `generate`; no label takes its value from a caller's text.

    refused: reason is `late` (the deadline leaves no time), `full` (too many wait), `ending` (the server ends) or
    `memory` (it takes more than the server has).
    abandoned: given up by their callers, before or while they ran. results: source is `stored` or `computed`.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        operation = ("operation",)
        self.waiting = Gauge(
            "biosynth_computations_waiting", "Computations that wait for a thread and memory.", registry=registry
        )
        self.running = Gauge("biosynth_computations_running", "Computations that run.", registry=registry)
        self.wait_seconds = Histogram(
            "biosynth_computation_wait_seconds", "Time until a thread and memory were free.", operation,
            registry=registry, buckets=BUCKETS,
        )  # fmt: skip
        self.seconds = Histogram(
            "biosynth_computation_seconds", "Time of a computation that was done, reading and storing included.",
            operation, registry=registry, buckets=BUCKETS,
        )  # fmt: skip
        self.refused = Counter(
            "biosynth_computations_refused", "Computations refused.", ("operation", "reason"), registry=registry
        )
        self.abandoned = Counter(
            "biosynth_computations_abandoned", "Computations whose callers left.", operation, registry=registry
        )
        self.results = Counter(
            "biosynth_results",
            "Results delivered, by where they came from.",
            ("operation", "source"),
            registry=registry,
        )
