"""Autoscaling: what the objects say, and their queries on a real Prometheus that scrapes a real generator."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from biosynth import BiosynthCallError, Client

from services.common.serving.config import ServerConfig
from tests.deploy.rendering import K8S, Object, of_kind, production_with
from tests.deploy.test_schemas import check
from tests.support.ports import free_ports
from tests.support.processes import serving
from tests.support.prometheus import Prometheus, prometheus

CALLERS = 6
POD = {"namespace": "biosynth", "service": "generation", "pod": "generation-0"}
RULES: list[dict[str, Any]] = yaml.safe_load((K8S / "components/autoscaling-hpa/adapter-rules.yaml").read_text())


@pytest.fixture
def scaled(tmp_path: Path) -> Object:
    return _with("autoscaling-keda", tmp_path, "ScaledObject")


@pytest.fixture
def autoscaler(tmp_path: Path) -> Object:
    return _with("autoscaling-hpa", tmp_path, "HorizontalPodAutoscaler")


def _with(component: str, folder: Path, kind: str) -> Object:
    (folder / component).mkdir()
    return of_kind(production_with(component, folder / component), kind)["generation"]


def test_keda_is_told_nothing_that_it_does_not_know(scaled: Object) -> None:
    check([scaled])
    for trigger in scaled["spec"]["triggers"]:
        assert trigger["type"] == "prometheus"
        # Of KEDA 2.21's Prometheus scaler; the schema of ScaledObject allows any.
        assert trigger["metadata"].keys() == {"serverAddress", "query", "threshold", "ignoreNullValues"}


def test_a_warm_model_is_kept_and_no_prometheus_means_no_fewer_pods(scaled: Object, autoscaler: Object) -> None:
    spec = scaled["spec"]
    assert spec["minReplicaCount"] == autoscaler["spec"]["minReplicas"] == 1
    assert spec["maxReplicaCount"] == autoscaler["spec"]["maxReplicas"]
    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour == autoscaler["spec"]["behavior"]
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] >= 300
    assert spec["fallback"]["behavior"] == "currentReplicasIfHigher" and spec["fallback"]["replicas"] >= 1
    wanted, _ = spec["triggers"]
    assert wanted["metadata"]["ignoreNullValues"] == "false"


def test_both_scale_the_deployment_by_the_same_targets(scaled: Object, autoscaler: Object) -> None:
    targets = [autoscaler["spec"]["scaleTargetRef"]["name"], scaled["spec"]["scaleTargetRef"]["name"]]
    assert targets == ["generation", "generation"]
    pods = [metric["pods"] for metric in autoscaler["spec"]["metrics"]]
    assert [one["metric"]["name"] for one in pods] == [rule["name"]["as"] for rule in RULES]
    thresholds = [trigger["metadata"]["threshold"] for trigger in scaled["spec"]["triggers"]]
    assert [one["target"]["averageValue"] for one in pods] == thresholds
    assert int(thresholds[0]) == ServerConfig.worker_threads


def adapted(rule: dict[str, Any]) -> str:
    """The query that prometheus-adapter makes of a rule when the autoscaler asks for the pods of the deployment."""
    matchers = 'namespace="biosynth",pod=~"generation-0|generation-1"'
    return str(rule["metricsQuery"]).replace("<<.LabelMatchers>>", matchers).replace("<<.GroupBy>>", "pod")


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Prometheus]]:
    """A generator of one thread, and a Prometheus that scrapes it as a pod."""
    folder = tmp_path_factory.mktemp("generator")
    [port] = free_ports(1)
    address = f"unix:{folder}/socket"
    settings = {
        "BIOSYNTH_ADDRESS": address, "BIOSYNTH_METRICS_PORT": str(port), "BIOSYNTH_STORE_PATH": str(folder / "store"),
        "BIOSYNTH_WORKER_THREADS": "1", "BIOSYNTH_DRAIN_SECONDS": "0",
    }  # fmt: skip
    with ExitStack() as entered:
        server = entered.enter_context(prometheus(folder, {f"127.0.0.1:{port}": POD}))
        entered.enter_context(serving(["services.generation"], {**os.environ, **settings}))
        yield address, server


@contextmanager
def load(address: str) -> Iterator[None]:
    """While open, callers ask for images that nobody has asked for before."""
    over, seeds = threading.Event(), itertools.count()

    def call() -> None:
        with Client(address) as client:
            while not over.is_set():
                with suppress(BiosynthCallError):  # a full queue, which is what is wanted
                    client.generate(np.zeros((512, 512), np.uint8), model="fluo-nuclei", seed=next(seeds))

    threads = [threading.Thread(target=call) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def until(server: Prometheus, query: str, is_so: Callable[[float], bool], seconds: float = 40) -> None:
    """Wait until the one sample of a query, which may be absent at first, is as it should be."""
    end, last = time.monotonic() + seconds, "nothing"
    while not (found := server.query(query)) or not is_so(float(found[0]["value"][1])) or len(found) > 1:
        last = str(found)
        assert time.monotonic() < end, f"expected another value within {seconds} s, got {last} of {query}"
        time.sleep(0.5)


def test_the_queries_of_both_see_load_and_its_end(scraped: tuple[str, Prometheus], scaled: Object) -> None:
    address, server = scraped
    wanted, wait = (trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"])
    pods_wanted, pods_wait = map(adapted, RULES)
    while not server.query('up{service="generation"} == 1'):
        time.sleep(0.1)
    assert server.value(wanted) == server.value(pods_wanted) == 0
    with load(address):
        for query in (wanted, pods_wanted):
            # All callers, but for one whose call is on its way.
            until(server, query, lambda value: value >= CALLERS - 1)
        for query in (wait, pods_wait):
            until(server, query, lambda value: 0.05 < value < 60)
    for query in (wanted, pods_wanted):
        until(server, query, lambda value: value == 0)
    for query in (wait, pods_wait):
        # Where none came for as long as the window is: 0, not nothing and no NaN, which KEDA takes for a failure.
        until(server, query.replace("[2m]", "[5s]"), lambda value: value == 0)
