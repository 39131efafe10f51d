"""What Prometheus reads from a process of all services that has done some work."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from biosynth import BiosynthCallError, Client
from biosynth.v1.generation_pb2 import GenerateRequest
from biosynth.v1.segmentation_pb2 import SegmentRequest
from biosynth.v1.types_pb2 import Content
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from services.cli.background import in_background
from services.cli.composition import SERVICES, Composition
from services.common.imaging.images import encode_png
from services.common.serving.config import EndpointsConfig, ServerConfig
from services.common.serving.runtime import Runtime, opened
from services.common.serving.server import Running, running
from services.common.storage.folder import FolderStore
from services.generation.config import GenerationConfig
from tests.support.pictures import nuclei_picture

IMAGE = Content(file=encode_png(nuclei_picture(64, 64, 3)))
NOWHERE = EndpointsConfig("localhost:1", "localhost:1", "localhost:1")


@asynccontextmanager
async def _started(runtime: Runtime) -> AsyncIterator[Running]:
    config = ServerConfig(address="127.0.0.1:0", metrics_port=0, drain_seconds=1)
    async with (
        Composition(SERVICES, GenerationConfig(), NOWHERE).start(runtime) as services,
        running(config, services, runtime.metrics) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What the port says after an image was made twice, a segmentation was made, and two calls were refused."""
    store = FolderStore(tmp_path_factory.mktemp("store"))
    store.check()
    reference = np.zeros((64, 64), np.uint8)
    reference[16:48, 16:48] = 1
    generate = GenerateRequest(reference=Content(file=encode_png(reference)), model="fluo-nuclei")
    with opened(store, 2) as runtime, in_background(lambda: _started(runtime)) as server:
        with Client(server.address, timeout_s=60, retries=0) as client:
            client.generation.Generate(generate)
            assert client.generation.Generate(generate).cached
            client.segmentation.Segment(SegmentRequest(image=IMAGE, segmenter="nuclei"))
            for refused in (GenerateRequest(reference=IMAGE, model="nobody"), GenerateRequest(model="fluo-nuclei")):
                with pytest.raises(BiosynthCallError):
                    client.generation.Generate(refused)
            not_levels = Content(file=encode_png(np.full((64, 64), 200, np.uint8)))
            with pytest.raises(BiosynthCallError):  # found by the computation itself
                client.generation.Generate(GenerateRequest(reference=not_levels, model="fluo-nuclei"))
        yield settled(server.metrics_port)


def settled(port: int | None) -> str:
    """What the port says once every call that began is counted, which a call is when its answer is on its way."""
    for _ in range(100):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
            text: str = response.read().decode()
        named = {family.name: family for family in text_string_to_metric_families(text)}
        if all(sample.value == 0 for sample in named["biosynth_calls_in_flight"].samples):
            break
        time.sleep(0.05)
    return text


@pytest.fixture
def families(exposed: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(exposed)}


def value(families: dict[str, Metric], family: str, name: str = "", **labels: str) -> float:
    """The one sample of this name with these among its labels."""
    found = [
        sample.value
        for sample in families[family].samples
        if sample.name == (name or family) and labels.items() <= sample.labels.items()
    ]
    assert len(found) == 1, (name or family, labels, found)
    return found[0]


@pytest.mark.parametrize(
    ("family", "labels"),
    [
        ("biosynth_computation_seconds", {"operation": "generate"}),
        ("biosynth_generation_seconds", {"model": "fluo-nuclei"}),
    ],
)
def test_what_was_stored_or_refused_is_not_among_the_times_of_computing(
    families: dict[str, Metric], family: str, labels: dict[str, str]
) -> None:
    assert value(families, family, f"{family}_count", **labels) == 1
    assert {sample.labels.get("model", "fluo-nuclei") for sample in families[family].samples} == {"fluo-nuclei"}
    # An image of 100 megapixels takes about five minutes on two cores.
    bounds = [float(sample.labels["le"]) for sample in families[family].samples if "le" in sample.labels]
    assert {300.0, 600.0} <= set(bounds)


def test_results_are_counted_by_where_they_came_from(families: dict[str, Metric]) -> None:
    for source in ("stored", "computed"):
        assert value(families, "biosynth_results", "biosynth_results_total", operation="generate", source=source) == 1


@pytest.mark.parametrize("step", ["decode", "encode", "store_get", "store_put", "store_head"])
def test_steps_are_timed(families: dict[str, Metric], step: str) -> None:
    assert value(families, "biosynth_step_seconds", "biosynth_step_seconds_count", step=step) >= 2


def test_refusals_are_counted_by_reason(families: dict[str, Metric]) -> None:
    for reason in ("UNKNOWN_NAME", "INVALID_ARGUMENT", "INVALID_REFERENCE"):
        family = "biosynth_calls_failed"
        assert value(families, family, f"{family}_total", grpc_method="Generate", reason=reason) == 1


def test_models_in_memory_are_shown_with_their_bytes(families: dict[str, Metric]) -> None:
    for kind, model in (("generator", "fluo-nuclei"), ("segmenter", "nuclei")):
        assert value(families, "biosynth_model_loaded", kind=kind, model=model) == 1
        size = value(families, "biosynth_model_weights_bytes", kind=kind, model=model)
        assert 100_000 < size < 100_000_000


def test_the_process_and_its_build_are_shown(families: dict[str, Metric]) -> None:
    assert value(families, "process_resident_memory_bytes") > 10_000_000
    build = families["biosynth_build_info"].samples[0]
    assert build.value == 1
    assert build.labels["python"].startswith("3.")
    assert "onnxruntime" in build.labels["engine"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", build.labels["version"])


def test_names_follow_prometheus_rules(exposed: str, families: dict[str, Metric]) -> None:
    """As promtool has them, which few machines have."""
    assert "_created" not in exposed
    for name, family in families.items():
        assert re.fullmatch("[a-z][a-z0-9_]*", name)
        assert family.documentation
        assert not re.search("_(total|count|sum|bucket|milliseconds|ms|kb|mib|minutes|gauge|counter|histogram)$", name)
        if family.type == "histogram":
            assert name.endswith("_seconds")
        if family.type == "counter":
            assert {sample.name for sample in family.samples} <= {f"{name}_total"}
        for sample in family.samples:
            assert all(len(text) < 100 for text in sample.labels.values())


def test_the_documentation_names_every_metric(families: dict[str, Metric]) -> None:
    text = (Path(__file__).parents[3] / "docs" / "deploy.md").read_text(encoding="utf-8")
    assert "`process_*`" in text
    ours = [family for family in families.values() if not family.name.startswith("process_")]
    assert len(ours) > 15
    for family in ours:
        assert f"`{family.name}{'_total' if family.type == 'counter' else ''}`" in text


def test_promtool_finds_nothing_to_say(exposed: str, tmp_path: Path) -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    checked = subprocess.run([promtool, "check", "metrics"], input=exposed, text=True, capture_output=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
