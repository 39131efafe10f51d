"""`python -m tests.bench.training_speed [--quick]`: patches that a second of training sees, by preset; needs torch.

In turns, so that a slower machine slows all. The fields are drawn here: how fast a step is does not depend on them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.generation_speed import spread
from tests.bench.table import told

OURS, BASELINE, LEAST_RATIO = "default", "pix2pix-unet256", 4.0


def figures(quick: bool = False) -> list[dict[str, Any]]:
    """Rows of name, value, target, met. quick: one step each, and nothing is judged."""
    if find_spec("torch") is None:
        skipped = "skipped: torch is not installed (make test-training installs it)"
        return [{"name": "training speed", "value": skipped, "target": None, "met": None}]
    with tempfile.TemporaryDirectory() as folder:
        rates = _rates(Path(folder), quick)
    rows = [_rate_row(name, *of) for name, of in rates.items()] + [_ratio_row(rates)]
    return [{**row, "met": None} for row in rows] if quick else rows


def _rates(folder: Path, quick: bool) -> dict[str, tuple[NDArray[np.float64], int]]:
    """Patches a second of the presets in each round, and the side of a patch."""
    import torch

    from services.common.engines.cores import usable_cores
    from services.training.generator.presets import PRESETS
    from tests.training.disk_fields import write_disk_fields
    from tests.training.untrained import untrained

    torch.set_num_threads(usable_cores())
    write_disk_fields(folder)
    rounds, steps = (1, 1) if quick else (5, 3)
    trainers = {name: untrained(folder, config) for name, config in PRESETS.items()}
    rates: dict[str, list[float]] = {name: [] for name in trainers}
    for turn in range(rounds + 1):  # the first one warms up, and does not count
        for name, trainer in trainers.items():
            begin = time.perf_counter()
            for _ in range(steps):
                trainer.train_step()
            if turn:
                rates[name].append(steps * trainer.config.batch / (time.perf_counter() - begin))
    return {name: (np.array(rates[name]), trainer.config.crop_px) for name, trainer in trainers.items()}


def _rate_row(name: str, rates: NDArray[np.float64], side: int) -> dict[str, Any]:
    return {
        "name": f"training with preset {name}",
        "value": f"{spread(rates)} patches of {side} px a second, {spread(rates * side**2 / 1e6)} megapixels",
        "target": None,
        "met": None,
    }


def _ratio_row(rates: dict[str, tuple[NDArray[np.float64], int]]) -> dict[str, Any]:
    (ours, side), (baseline, baseline_side) = rates[OURS], rates[BASELINE]
    by_count = ours / baseline  # of each round
    by_area = by_count * (side / baseline_side) ** 2
    return {
        "name": f"training with preset {OURS} against {BASELINE}",
        "value": f"{spread(by_count)}x the patches, {spread(by_area)}x the area",
        "target": f">= {LEAST_RATIO:g}x the area",
        "met": bool(np.median(by_area) >= LEAST_RATIO),
    }


if __name__ == "__main__":
    for row in figures("--quick" in sys.argv):
        print(told(row))
