"""What a server takes of memory at most: with much sent at once, and by what admission reckons for the largest."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from biosynth.contract import MIB

from services.common.imaging.formats.limits import ImageLimits
from services.common.serving.config import ServerConfig
from services.common.serving.memory import COSTS, for_computations
from services.common.serving.room import Room
from tests.bench.table import counts, told
from tests.support.crowd import bombs, large_runs, unanswered_pipeline
from tests.support.manifests import memory_limit
from tests.support.processes import resident

GIB = 1024 * MIB
AT_ONCE = 4
OPERATIONS = {"generation": "generate", "segmentation": "segment"}


def figures(quick: bool = False) -> list[dict[str, Any]]:
    """Name, value, target and whether it was met, of each figure; quick: with few callers, and nothing is judged."""
    peak = _peak(4, 6) if quick else _peak(40, 60)
    rows = [peak, *(asyncio.run(_admitted(*names)) for names in OPERATIONS.items())]
    return [{**row, "met": None} for row in rows] if quick else rows


def _peak(runs: int, bombed: int) -> dict[str, Any]:
    """Of a pipeline in a process of its own, which holds every image that it takes."""
    limit = memory_limit("pipeline")
    row = {
        "name": f"peak memory of a pipeline, {runs} Runs of 14.4 MiB at once, then {bombed} of 34 MiB in gzip",
        "target": f"< {limit // MIB} MiB, the manifest's limit",
    }
    if not Path("/proc/self/status").exists():
        return {**row, "value": "not measured: this system has no /proc", "met": None}
    with tempfile.TemporaryDirectory() as folder, unanswered_pipeline(Path(folder)) as (address, pid):
        ended = large_runs(address, runs), bombs(address, bombed)
        peak = resident(pid, peak=True)
    return {
        **row,
        "value": f"{peak // MIB} MiB; they end in {counts(ended[0])}, then {counts(ended[1])}",
        "met": peak < limit,
    }


async def _admitted(service: str, operation: str) -> dict[str, Any]:
    """How many of the largest images at once begin, by the server's own room; nothing is computed."""
    limit, cost = memory_limit(service), COSTS[operation]
    each, left = cost.of(ImageLimits().max_pixels), for_computations(limit, ServerConfig.max_in_flight_bytes)
    room = Room(ServerConfig.worker_threads, left)
    begin = sum(room.ask(each).done() for _ in range(AT_ONCE))
    return {
        "name": f"{AT_ONCE} {operation} calls of 100 megapixels at once, reckoned (nothing is computed)",
        "value": f"{begin} at a time, {AT_ONCE - begin} wait: {AT_ONCE * each / GIB:.1f} GiB in all, each "
        f"{cost.base // MIB} MiB + {cost.a_pixel} bytes a pixel; {left / GIB:.1f} of {limit // GIB} GiB are left",
        "target": "at least one at a time, no more than there is memory for",
        "met": begin >= 1 and begin * each <= left,
    }


if __name__ == "__main__":
    for row in figures("--quick" in sys.argv):
        print(told(row))
