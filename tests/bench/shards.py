"""GenerateShard, store to store, beside what network and codec make of the same images without a service."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from biosynth import Client
from numpy.typing import NDArray

from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.imaging.images import decode_image, encode_png
from services.generation.generate import generate
from services.generation.model import SHIPPED, read_model
from services.generation.shards import seed_of
from tests.bench.load import reference
from tests.bench.serving import server
from tests.bench.table import told

MODEL, IMAGES, SIDE_PX, ROUNDS = "fluo-nuclei", 24, 512, 3
LEAST_SHARE = 0.7


def figures(quick: bool = False) -> list[dict[str, Any]]:
    """Name, value, target and whether it was met; quick: a round of two images, and nothing is judged."""
    count, rounds = (2, 1) if quick else (IMAGES, ROUNDS)
    levels = decode_image(reference(SIDE_PX).file).view(np.uint8)
    with server() as (_, address), Client(address, timeout_s=600, retries=20) as client:  # it starts meanwhile
        client.generate(levels, model=MODEL, seed=9)  # both are warm
        bare = _bare(levels)
        bare(1, 0)
        pairs = []
        for number in range(rounds):  # side by side, in turn: these machines are noisy
            alone = _seconds(bare, count, number)
            served = _seconds(lambda many, seed: _shard(client, levels, many, seed), count, number)
            pairs.append((alone, served))
    share = statistics.median(alone / served for alone, served in pairs)
    rate = statistics.median(count / served for _, served in pairs)
    row = {
        "name": f"a shard of {count} images of {SIDE_PX} px",
        "value": f"{rate:.2f} images/s, {share:.0%} of the network and the codec alone",
        "target": f">= {LEAST_SHARE:.0%}",
        "met": None if quick else share >= LEAST_SHARE,
    }
    return [row]


def _bare(levels: NDArray[np.uint8]) -> Callable[[int, int], None]:
    stored = read_model(SHIPPED / MODEL)
    engine = OnnxCpuEngine(stored.weights())

    def make(count: int, seed: int) -> None:
        for number in range(count):
            encode_png(generate(levels, stored.description, engine, seed_of(seed, str(number))).image)

    return make


def _shard(client: Client, levels: NDArray[np.uint8], count: int, seed: int) -> None:
    client.generate_shard({str(number): levels for number in range(count)}, model=MODEL, seed=seed)


def _seconds(make: Callable[[int, int], None], count: int, seed: int) -> float:
    begin = time.perf_counter()
    make(count, seed)
    return time.perf_counter() - begin


if __name__ == "__main__":
    for found in figures("--quick" in sys.argv):
        print(told(found))
