"""`python -m tests.bench.generation_speed [--quick]`: a frame of 1536x2048 on each CPU engine, beside pix2pix in torch.

In turns, so that a slower machine slows all. Everything that `generate` does is timed, for ours and for pix2pix.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.engines.cores import usable_cores
from services.common.engines.engine import Engine
from services.generation.conditions import plane_count
from services.generation.config import CPU_ENGINES
from services.generation.device import choose_engine
from services.generation.generate import generate
from services.generation.model import SHIPPED, ModelShelf, StoredModel
from services.generation.tilings import Tiling
from tests.bench.table import told
from tests.unit.generation.fakes import disks

FRAME = (1536, 2048)
# Enough of the baseline's patches to be timed: each takes as long as any other.
BASELINE = (512, 768)
MOST_CPU_S, LEAST_RATIO = 1.5, 5.0
Spent = tuple[float, float]  # of the CPU, of the clock; seconds a megapixel
Work = Callable[[], float]  # makes an image, and says of how many megapixels


def figures(quick: bool = False) -> list[dict[str, Any]]:
    """Rows of name, value, target, met. quick: one round of small images, and nothing is judged."""
    shelf = ModelShelf(SHIPPED)
    rows = [row for stored in shelf.list() for row in _of_model(stored, quick)]
    rows += [_skipped(f"a frame by {name}", name) for name in CPU_ENGINES if find_spec(name) is None]
    rows += [] if find_spec("torch") else [_skipped("a frame beside pix2pix-unet256", "torch")]
    return [{**row, "met": None} for row in rows] if quick else rows


def _of_model(stored: StoredModel, quick: bool) -> list[dict[str, Any]]:
    frame, patches, rounds = ((512, 512), (256, 256), 1) if quick else (FRAME, BASELINE, 5)
    engines = [choose_engine("cpu", cpu_engine=name)(stored) for name in CPU_ENGINES if find_spec(name)]
    works = {_named(engine): _work(stored, engine, Tiling.EXACT, frame) for engine in engines}
    if find_spec("torch"):
        works["pix2pix"] = _work(stored, _pix2pix(stored), Tiling.CONCAT, patches)
    spent = in_turns(works, rounds)
    baseline = spent.pop("pix2pix", None)
    megapixels, name = frame[0] * frame[1] / 1e6, stored.description.name
    rows = [_frame_row(f"{name} by {engine}", frame, took * megapixels) for engine, took in spent.items()]
    if baseline is not None:
        rows += [_ratio_row(f"{name} by {engine}", took, baseline) for engine, took in spent.items()]
    return rows


def in_turns(works: dict[str, Work], rounds: int) -> dict[str, NDArray[np.float64]]:
    """Seconds a megapixel of each, (rounds, 2): of the CPU, of the clock. A first round warms up and does not count."""
    spent: dict[str, list[Spent]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            cpu, clock = time.process_time(), time.perf_counter()
            megapixels = work()
            if turn:
                took = time.process_time() - cpu, time.perf_counter() - clock
                spent[name].append((took[0] / megapixels, took[1] / megapixels))
    return {name: np.array(values) for name, values in spent.items()}


def _work(stored: StoredModel, engine: Engine, tiling: Tiling, size: tuple[int, int]) -> Work:
    reference = disks(*size)

    def work() -> float:
        return float(generate(reference, stored.description, engine, tiling=tiling).image.size / 1e6)

    return work


def _pix2pix(stored: StoredModel) -> Engine:
    """The baseline's network, untrained, which takes as long as a trained one, in torch as it comes."""
    import torch

    from services.training.engine import NetworkEngine
    from services.training.generator.pix2pix import UNet, UNetConfig

    torch.set_num_threads(usable_cores())
    return NetworkEngine(UNet(UNetConfig(plane_count(stored.description.roles.count))))


def _named(engine: Engine) -> str:
    return f"{engine.name} {engine.precision}"


def _frame_row(name: str, frame: tuple[int, int], seconds: NDArray[np.float64]) -> dict[str, Any]:
    cpu, clock = np.median(seconds, axis=0)
    return {
        "name": f"a frame of {frame[0]}x{frame[1]}, {name}",
        "value": f"{spread(seconds[:, 0])} CPU s, {spread(seconds[:, 1])} s on {usable_cores()} cores",
        "target": f"<= {MOST_CPU_S} CPU s",
        "met": bool(cpu <= MOST_CPU_S),
        "cpu_s": float(cpu),
        "wall_s": float(clock),
    }


def _ratio_row(name: str, ours: NDArray[np.float64], baseline: NDArray[np.float64]) -> dict[str, Any]:
    ratios = baseline / ours  # of each round
    return {
        "name": f"how much faster a pixel than pix2pix-unet256 (torch, float32, patches of 256 px), {name}",
        "value": f"{spread(ratios[:, 1])}x by the clock, {spread(ratios[:, 0])}x of the CPU; seconds a megapixel "
        f"{spread(ours[:, 1])} against {spread(baseline[:, 1])}",
        "target": f">= {LEAST_RATIO:g}x by the clock",
        "met": bool(np.median(ratios[:, 1]) >= LEAST_RATIO),
        "ratio": float(np.median(ratios[:, 1])),
    }


def spread(values: NDArray[np.float64]) -> str:
    """Median and range."""
    return f"{np.median(values):.3g} ({values.min():.3g} to {values.max():.3g})"


def _skipped(name: str, package: str) -> dict[str, Any]:
    return {"name": name, "value": f"skipped: {package} is not installed", "target": None, "met": None}


if __name__ == "__main__":
    for row in figures("--quick" in sys.argv):
        print(told(row))
