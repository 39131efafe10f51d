"""What Prometheus sees of evaluations, through a real gRPC port and a real scrape."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import grpc
import pytest
from biosynth import BiosynthCallError, Client
from biosynth.v1.evaluation_pb2 import CompareSetsRequest, ImageSet
from biosynth.v1.types_pb2 import Delivery
from prometheus_client.parser import text_string_to_metric_families

from services.cli.background import in_background
from services.common.serving.config import ServerConfig
from services.common.serving.runtime import Runtime, opened
from services.common.serving.server import Running, running
from services.common.storage.folder import FolderStore
from services.evaluation.model_evaluations import FOLDER
from services.evaluation.servicer import evaluation_service
from tests.integration.services.test_evaluation import image_set

Samples = dict[tuple[str, ...], float]
CALLS = ("server_stream", "biosynth.v1.EvaluationService", "CompareSets")


@asynccontextmanager
async def _started(config: ServerConfig, runtime: Runtime) -> AsyncIterator[Running]:
    async with running(config, [evaluation_service(runtime)], runtime.metrics) as server:
        yield server


@contextmanager
def serving(store: FolderStore) -> Iterator[tuple[Client, int]]:
    """A new process's worth of the service on this store: a client, and the port of its metrics."""
    config = ServerConfig(address="127.0.0.1:0", metrics_port=0, drain_seconds=1)
    with opened(store, 2) as runtime, in_background(lambda: _started(config, runtime)) as server:
        assert server.metrics_port is not None
        with Client(server.address, timeout_s=300, retries=0) as client:
            yield client, server.metrics_port


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def scraped(port: int) -> Samples:
    """Samples by name and values of labels, in the order of the labels' names."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        families = text_string_to_metric_families(response.read().decode())
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def gauges(port: int) -> Samples:
    names = tuple(f"biosynth_evaluation_{what}" for what in ("value", "ceiling", "timestamp_seconds"))
    return {labels: value for labels, value in scraped(port).items() if labels[0] in names}


def of_model(candidate: ImageSet, model: str) -> ImageSet:
    named = ImageSet()
    named.CopyFrom(candidate)
    named.model = model
    return named


REAL = image_set("real", range(3), prefix="r")
MADE = image_set("made", range(10, 13))
UNLABELLED = image_set("unlabelled", range(20, 23), labelled=False)
# Five of 256 px are the least in which discriminability sees anything.
LARGE = image_set("large", range(5), blur=3, size=(256, 256))


def request(*candidates: ImageSet) -> CompareSetsRequest:
    return CompareSetsRequest(real=REAL, candidates=candidates, delivery=Delivery.DELIVERY_FILE)


def test_the_last_evaluation_of_a_model_is_shown_and_by_a_new_process_too(store: FolderStore) -> None:
    began = time.time()
    asked = request(of_model(LARGE, "fluo-nuclei/2"), of_model(UNLABELLED, "other/1.1"), MADE)
    asked.real.CopyFrom(image_set("real", range(5), size=(256, 256)))
    asked.judge = "nuclei"
    with serving(store) as (client, port):
        result = list(client.evaluation.CompareSets(asked))[-1].result
        shown = gauges(port)
    ended = time.time()
    with serving(store) as (_, port):
        assert gauges(port) == shown
    for row in json.loads(result.metrics_json.file)["candidates"][0]["sets"]:
        if row["name"] in ("fidelity_mean_ap", "spectrum_distance", "discriminability"):
            labels = (row["name"], "fluo-nuclei", "2")
            assert shown["biosynth_evaluation_value", *labels] == row["value"]
            # Half of five fields is too little for a ceiling of discriminability.
            assert shown.get(("biosynth_evaluation_ceiling", *labels)) == (row["ceiling"] or [None])[0]
    assert ("biosynth_evaluation_ceiling", "fidelity_mean_ap", "fluo-nuclei", "2") in shown
    # Three small fields without labels: there is no fidelity, and too little to tell the sets apart.
    other = {labels[1] for labels in shown if labels[0] == "biosynth_evaluation_value" and labels[2] == "other"}
    assert other == {"spectrum_distance"}
    models = {labels[1:]: at for labels, at in shown.items() if labels[0].endswith("timestamp_seconds")}
    assert models.keys() == {("fluo-nuclei", "2"), ("other", "1.1")}
    assert all(began <= at + 0.001 and at <= ended for at in models.values())


def test_an_evaluation_that_is_found_again_is_no_newer_and_can_be_given_a_model_later(store: FolderStore) -> None:
    with serving(store) as (client, _):
        list(client.evaluation.CompareSets(request(MADE)))
    computed = time.time()
    named = request(of_model(MADE, "fluo-nuclei/2"))
    with serving(store) as (client, port):
        for _ in range(2):
            assert list(client.evaluation.CompareSets(named))[-1].result.cached
        assert gauges(port)["biosynth_evaluation_timestamp_seconds", "fluo-nuclei", "2"] <= computed
    assert len(list(store.list(FOLDER))) == 1


@pytest.mark.parametrize("model", ["fluo-nuclei", "../../x/1", 'a"} 1\n/1', "A/1", "a" * 99 + "/1"])
def test_a_model_that_is_no_name_and_version_is_refused_before_anything_is_computed(
    store: FolderStore, model: str
) -> None:
    with serving(store) as (client, port):
        with pytest.raises(BiosynthCallError, match="expected a model as name/version") as caught:
            list(client.evaluation.CompareSets(request(of_model(MADE, model))))
        assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
        assert gauges(port) == {}
    assert list(store.list("")) == []


def test_a_model_is_of_one_candidate_and_of_no_real_images(store: FolderStore) -> None:
    twice = request(of_model(MADE, "a/1"), of_model(UNLABELLED, "a/1"))
    of_real = request(MADE)
    of_real.real.model = "a/1"
    with serving(store) as (client, _):
        for wrong, words in ((twice, "a/1 is of several"), (of_real, "real or training images have 'a/1'")):
            with pytest.raises(BiosynthCallError, match=words) as caught:
                list(client.evaluation.CompareSets(wrong))
            assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT


def test_comparisons_are_counted_by_their_outcome_and_timed(store: FolderStore) -> None:
    with serving(store) as (client, port):
        began = time.monotonic()
        list(client.evaluation.CompareSets(request(MADE)))
        whole = time.monotonic() - began
        with pytest.raises(BiosynthCallError):
            list(client.evaluation.CompareSets(request()))
        stream = client.evaluation.CompareSets(request(UNLABELLED))
        next(stream)
        stream.cancel()
        began = time.monotonic()
        while (samples := scraped(port)).get(("grpc_server_handling_seconds_count", *_labels()), 0) < 3:
            assert time.monotonic() < began + 10
    for code in ("OK", "INVALID_ARGUMENT", "CANCELLED"):
        assert samples["grpc_server_handled_total", code, *_labels()] == 1
    assert samples["grpc_server_started_total", *_labels()] == 3
    took = samples["grpc_server_handling_seconds_sum", *_labels()]
    assert whole / 2 < took < 60  # the whole stream, and not the time to its first message


def _labels() -> tuple[str, ...]:
    kind, service, method = CALLS
    return method, service, kind
