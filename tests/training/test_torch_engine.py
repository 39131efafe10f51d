"""The GPU engine: on torch's CPU device it must answer as ONNX Runtime does, and on a GPU where there is one.

Tolerances are those of docs/deploy.md, On a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the GPU engine needs torch: the `training` extra")

from torch import Tensor, nn

from services.common.engines.cuda_graphs import MOST_PX, MOST_SHAPES, Replayed, capture
from services.common.engines.engine import Engine
from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.engines.torch_cuda import TorchEngine
from services.common.errors import ConfigError, DeviceFull
from services.generation.conditions import plane_count
from services.generation.device import choose_engine
from services.generation.generate import generate
from services.generation.model import SHIPPED, ModelShelf, StoredModel
from services.generation.network import read_generator
from services.generation.tilings import Tiling
from tests.unit.generation.fakes import disks

NAMES = ("fluo-nuclei", "phase-scratch")
HAS_GPU = torch.cuda.is_available()
needs_gpu = pytest.mark.skipif(not HAS_GPU, reason="no GPU here")
DEVICES = ("cpu", pytest.param("cuda", marks=needs_gpu))
# Of the network's output, in units of the contrast, and of an image's grey values.
FLOATS = {"float32": 1e-4, "bfloat16": 0.08}
COUNTS = {"float32": 1, "bfloat16": 4}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@cache
def shipped(name: str = "fluo-nuclei") -> StoredModel:
    return ModelShelf(SHIPPED).get(name)


@cache
def on_onnx(name: str = "fluo-nuclei") -> Engine:
    return OnnxCpuEngine(shipped(name).weights(), threads=1)


@cache
def on_torch(precision: str, device: str = "cpu", name: str = "fluo-nuclei") -> TorchEngine:
    return TorchEngine(read_generator(shipped(name).torch_weights()), precision, device)


def reference_of(name: str, height: int, width: int) -> NDArray[np.uint8]:
    """Disks under the model's schema; `cells4` has a wound before the levels of `nuclei3`."""
    reference = disks(height, width)
    return reference if name == "fluo-nuclei" else (reference + 1).astype(np.uint8)


def planes_of(batch: int, height: int, width: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((batch, plane_count(3), height, width), np.float32)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [(1, 4, 4), (3, 4, 8), (2, 68, 52), (1, 128, 256)])
def test_it_answers_as_onnx_runtime_does_even_to_noise(device: str, size: tuple[int, int, int]) -> None:
    planes = planes_of(*size)
    expected = np.concatenate([on_onnx().run(one[None]) for one in planes])
    made = on_torch("float32", device).run(planes)
    assert made.shape == expected.shape
    assert made.dtype == np.float32
    assert np.abs(made - expected).max() < FLOATS["float32"]


class Kept:
    """An engine that keeps what it gave; one input at a time."""

    name, precision, batch_px = "kept", "float32", 0

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.made: list[NDArray[np.float32]] = []

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        self.made.append(self._engine.run(planes))
        return self.made[-1]

    def rest(self) -> None: ...


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", FLOATS)
@pytest.mark.parametrize("name", NAMES)
def test_it_makes_the_image_that_onnx_runtime_makes_within_the_stated_tolerance(
    name: str, precision: str, device: str
) -> None:
    engines = Kept(on_onnx(name)), Kept(on_torch(precision, device, name))
    expected, made = (
        generate(reference_of(name, 200, 160), shipped(name).description, engine, 2).image.astype(int)
        for engine in engines
    )
    floats, others = (engine.made[0] for engine in engines)
    assert np.abs(floats - others).max() < FLOATS[precision]
    assert np.sqrt(np.square(floats - others).mean()) < 0.01 * floats.std()
    assert np.abs(made - expected).max() <= COUNTS[precision]
    assert np.abs(made - expected).mean() < 0.3


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", FLOATS)
@pytest.mark.parametrize("size", [(1, 1), (3, 129), (131, 75)])
def test_tiles_in_batches_give_the_image_of_the_whole(size: tuple[int, int], precision: str, device: str) -> None:
    model, engine = shipped().description, on_torch(precision, device)
    exact, whole = (
        generate(disks(*size), model, engine, 1, tiling=tiling, tile_px=32).image.astype(int)
        for tiling in (Tiling.EXACT, Tiling.WHOLE)
    )
    assert exact.shape == size
    assert np.abs(exact - whole).max() <= COUNTS[precision]


class Summing(nn.Module):
    """Adds the planes; of whole numbers, the sum is exact. Has memory for so many inputs at once."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, planes: Tensor) -> Tensor:
        if len(planes) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return planes.sum(1, keepdim=True)


@pytest.mark.parametrize("precision", FLOATS)
@pytest.mark.parametrize("most", [1, 3, 8])
def test_where_torch_is_out_of_memory_batches_are_halved_and_pixels_are_the_same(most: int, precision: str) -> None:
    planes = np.arange(8 * 2 * 4 * 4, dtype=np.float32).reshape(8, 2, 4, 4) % 64
    made = TorchEngine(Summing(most), precision, "cpu").run(planes)
    assert made.tobytes() == planes.sum(1, keepdims=True).tobytes()


def test_where_torch_has_no_memory_for_one_input_the_caller_is_told_what_to_do() -> None:
    words = "expected memory on the device for an input of 4x8 px.*tiling exact.*BIOSYNTH_DEVICE=cpu"
    with pytest.raises(DeviceFull, match=words) as caught:
        TorchEngine(Summing(0), "float32", "cpu").run(np.zeros((2, 1, 4, 8), np.float32))
    assert caught.value.status == "RESOURCE_EXHAUSTED"


class Graphs:
    """Makes what stands for CUDA graphs: each tells when it is used."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.made: list[tuple[int, ...]] = []
        self.used: list[tuple[int, ...]] = []

    def __call__(self, run: Callable[[Tensor], Tensor], planes: Tensor) -> Callable[[Tensor], Tensor]:
        if self.fails:
            raise RuntimeError("capture failed")
        shape = tuple(planes.shape)
        self.made.append(shape)

        def replay(planes: Tensor) -> Tensor:
            self.used.append(shape)
            return run(planes)

        return replay


def inputs(height: int, width: int = 4, batch: int = 1) -> Tensor:
    return torch.ones(batch, 2, height, width)


def test_a_graph_is_made_for_a_shape_that_comes_again_and_used_from_then_on() -> None:
    graphs = Graphs()
    network = Replayed(Summing(8), graphs)
    for _ in range(4):
        assert torch.equal(network(inputs(4)), torch.full((1, 1, 4, 4), 2.0))
    assert network(inputs(8)).shape == (1, 1, 8, 4)
    assert (graphs.made, graphs.used) == ([(1, 2, 4, 4)], [(1, 2, 4, 4)] * 3)
    network.forget()
    network(inputs(4))
    assert len(graphs.used) == 3


def test_shapes_that_take_turns_beyond_the_limit_and_large_inputs_have_no_graphs() -> None:
    graphs = Graphs()
    network = Replayed(Summing(8), graphs)
    for height in 3 * list(range(1, MOST_SHAPES + 2)):
        network(inputs(height))
    for _ in range(3):
        network(inputs(MOST_PX // 4, 4, batch=2))
    assert graphs.made == []
    for height in 2 * list(range(1, MOST_SHAPES + 1)):
        network(inputs(height))
    assert len(graphs.made) == MOST_SHAPES


def test_a_graph_that_cannot_be_made_costs_no_image_and_is_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    network = Replayed(Summing(8), Graphs(fails=True))
    for _ in range(4):
        assert torch.equal(network(inputs(4)), torch.full((1, 1, 4, 4), 2.0))
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == ["no CUDA graphs from now on"]


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
@pytest.mark.parametrize("precision", FLOATS)
def test_cuda_without_a_gpu_is_refused_and_auto_takes_the_cpu(precision: str) -> None:
    with pytest.raises(ConfigError, match="expected a CUDA device, found none"):
        choose_engine("cuda", precision)
    opened = choose_engine("auto", precision)(shipped())
    assert (opened.name, opened.precision) == ("onnxruntime-cpu", "float32")


@needs_gpu
@pytest.mark.parametrize("precision", FLOATS)
def test_a_chosen_gpu_is_used_in_the_precision_that_was_asked_for(precision: str) -> None:
    engine = choose_engine("cuda", precision)(shipped())
    assert (engine.name, engine.precision) == (f"torch-{torch.__version__}-cuda", precision)


@needs_gpu
@pytest.mark.parametrize("precision", FLOATS)
def test_a_replayed_graph_gives_what_the_network_gives(precision: str) -> None:
    dtype = getattr(torch, precision)
    network = read_generator(shipped().torch_weights()).eval().to("cuda", dtype, memory_format=torch.channels_last)
    made: list[int] = []

    def watched(run: Callable[[Tensor], Tensor], planes: Tensor) -> Callable[[Tensor], Tensor]:
        made.append(1)
        return capture(run, planes)

    replayed = Replayed(network, watched)
    with torch.inference_mode():
        for planes in torch.randn(5, 1, plane_count(3), 256, 256, device="cuda", dtype=dtype):
            last = planes.contiguous(memory_format=torch.channels_last)
            assert (replayed(last) - network(last)).abs().max() < FLOATS[precision]
    assert made == [1]


@needs_gpu
def test_a_gpu_with_little_memory_gives_the_pixels_of_one_with_enough() -> None:
    engine, planes = on_torch("float32", "cuda"), planes_of(16, 512, 512)
    expected = engine.run(planes)
    torch.cuda.empty_cache()
    most = torch.cuda.memory_reserved() + 700 * 2**20  # bytes; all 16 take about 1.8 GB
    torch.cuda.set_per_process_memory_fraction(most / torch.cuda.mem_get_info()[1])
    try:
        assert np.abs(engine.run(planes) - expected).max() < FLOATS["float32"]
        torch.cuda.set_per_process_memory_fraction(1e-4)
        with pytest.raises(DeviceFull, match="MiB free"):
            engine.run(planes_of(1, 2048, 2048))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
