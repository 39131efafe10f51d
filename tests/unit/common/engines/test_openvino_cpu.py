"""The second CPU engine, beside ONNX Runtime."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from services.common.engines import openvino_cpu
from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.engines.openvino_cpu import OpenVinoEngine
from services.common.errors import ConfigError
from services.generation.device import choose_engine
from services.generation.generate import generate
from services.generation.model import SHIPPED, read_model
from tests.unit.generation.fakes import disks

TASKS = Path("/proc/self/task")
MODELS = ("fluo-nuclei", "phase-scratch")
# Largest differences from ONNX Runtime (docs/models.md): of the network's plane, of 99.9 % of pixels, of all pixels.
TOLERANCES = {"float32": (1e-4, 1, 1), "bfloat16": (0.06, 4, 12)}

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")


@needs_openvino
@pytest.mark.parametrize("name", MODELS)
def test_an_image_is_that_of_onnx_runtime_within_the_stated_tolerance(name: str) -> None:
    stored = read_model(SHIPPED / name)
    ours, theirs = OpenVinoEngine(stored.weights(), threads=1), OnnxCpuEngine(stored.weights(), threads=1)
    of_planes, of_most_counts, of_counts = TOLERANCES[ours.precision]
    planes = planes_of(stored.weights(), (132, 96))
    assert np.abs(ours.run(planes) - theirs.run(planes)).max() <= of_planes
    made, expected = (
        generate(disks(200, 260), stored.description, engine, 1).image.astype(int) for engine in (ours, theirs)
    )
    difference = np.abs(made - expected)
    assert np.percentile(difference, 99.9) <= of_most_counts
    assert difference.max() <= of_counts


@needs_openvino
def test_the_processor_computes_in_bfloat16_where_it_can_and_the_engine_says_so() -> None:
    import openvino

    engine = choose_engine("cpu", cpu_engine="openvino")(read_model(SHIPPED / MODELS[0]))
    can = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert engine.precision == ("bfloat16" if can else "float32")
    assert engine.name == f"openvino-{openvino.__version__.split('-')[0]}-cpu"


@needs_openvino
def test_the_same_planes_give_the_same_bytes_again_from_several_threads_and_after_a_rest() -> None:
    weights = read_model(SHIPPED / MODELS[0]).weights()
    engine, planes = OpenVinoEngine(weights), planes_of(weights, (64, 80))
    first = engine.run(planes)
    with ThreadPoolExecutor(4) as threads:
        others = list(threads.map(lambda _: engine.run(planes), range(8)))
    engine.rest()
    for other in (*others, engine.run(planes)):
        assert other.tobytes() == first.tobytes()


@needs_openvino
@pytest.mark.skipif(not TASKS.is_dir(), reason="a thread's time is read from Linux's /proc")
def test_it_computes_on_as_many_threads_as_there_are_usable_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = read_model(SHIPPED / MODELS[0]).weights()
    monkeypatch.setattr(openvino_cpu, "usable_cores", lambda: 1)
    engine, planes, before = OpenVinoEngine(weights), planes_of(weights, (384, 384)), nanoseconds()
    for _ in range(3):
        engine.run(planes)
    spent = sorted(now - before.get(thread, 0) for thread, now in nanoseconds().items())
    assert spent[-2] <= 0.1 * spent[-1]


@needs_openvino
def test_importing_it_tells_nobody() -> None:
    code = (
        "import sys; from services.common.engines.openvino_cpu import OpenVinoEngine\n"
        "from services.generation.model import SHIPPED, read_model\n"
        "OpenVinoEngine(read_model(SHIPPED / 'fluo-nuclei').weights(), 1)\n"
        "assert 'openvino' in sys.modules\n"
        "print([name for name, module in sys.modules.items() if 'openvino_telemetry' in name and module])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_package_a_start_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    for device in ("cpu", "auto"):
        with pytest.raises(ConfigError, match=r"BIOSYNTH_CPU_ENGINE: openvino needs .* install the extra `openvino`"):
            choose_engine(device, cpu_engine="openvino")
    choose_engine("cpu", cpu_engine="onnxruntime")


def planes_of(weights: bytes, size: tuple[int, int]) -> NDArray[np.float32]:
    """Planes that a network takes, (1, P, H, W), of noise."""
    count = onnxruntime.InferenceSession(weights).get_inputs()[0].shape[1]
    return np.random.default_rng(0).standard_normal((1, count, *size), np.float32)


def nanoseconds() -> dict[str, int]:
    """What each thread of this process has computed so far."""
    return {task.name: int((task / "schedstat").read_text().split()[0]) for task in TASKS.iterdir()}
