"""How fast a torch network runs on patches that lie on the device already."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from services.common.engines.cuda_graphs import MOST_PX, Replayed, capture
from services.generation.patches import PATCH_PX

_WARM_UP = 3  # runs, of which the second records a graph


@dataclass(frozen=True)
class Way:
    """How a network is run. graphs: as CUDA graphs, where the batch is small enough for one."""

    name: str
    dtype: Any
    memory_format: Any
    graphs: bool = False


# As code made public for pix2pix runs it: torch as it comes, which rounds float32 to TF32 in convolutions.
PUBLIC = Way("float32 (TF32), eager", torch.float32, torch.contiguous_format)
PLAIN = Way("bfloat16, channels last", torch.bfloat16, torch.channels_last)
GRAPHS = Way("bfloat16, channels last, CUDA graph", torch.bfloat16, torch.channels_last, graphs=True)


@dataclass(frozen=True)
class Rate:
    """patches_s: patches a second. tera: floating-point operations a second, in 10^12. mib: peak memory, in MiB."""

    way: Way
    batch: int
    patches_s: float
    tera: float
    mib: int | None


def measure(network: nn.Module, planes: int, way: Way, batch: int, device: str, seconds: float) -> Rate:
    """Run a network for so many seconds, on noise: its time does not depend on what it sees."""
    torch.backends.cudnn.allow_tf32 = True
    network = network.eval().requires_grad_(False).to(device, way.dtype, memory_format=way.memory_format)
    patches = torch.randn(batch, planes, PATCH_PX, PATCH_PX, device=device)
    patches = patches.to(way.dtype, memory_format=way.memory_format)
    run: Callable[[Any], Any] = Replayed(network, capture) if way.graphs else network
    on_gpu = device != "cpu"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    with torch.inference_mode():
        patches_s = batch * runs_per_second(
            lambda: run(patches), seconds, torch.cuda.synchronize if on_gpu else _nothing
        )
    mib = torch.cuda.max_memory_allocated() // 2**20 if on_gpu else None
    return Rate(way, batch, patches_s, patches_s * operations(network, patches[:1]) / 1e12, mib)


def fits_a_graph(batch: int) -> bool:
    """Whether the engine makes a CUDA graph for so many patches."""
    return batch * PATCH_PX**2 <= MOST_PX


def operations(network: nn.Module, patch: Any) -> int:
    """Floating-point operations for one patch; a multiplication and an addition are two."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(patch)
    return int(counter.get_total_flops())


def runs_per_second(run: Callable[[], object], seconds: float, wait: Callable[[], object]) -> float:
    """wait: until the device is done. Runs at least once, and until so many seconds have passed."""
    for _ in range(_WARM_UP):
        run()
    wait()
    times = 1
    while True:
        begin = time.perf_counter()
        for _ in range(times):
            run()
        wait()
        took = time.perf_counter() - begin
        if took >= seconds:
            return times / took
        times *= 2


def _nothing() -> None: ...
