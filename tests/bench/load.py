"""What a server of one process does under more load than it can carry; server and load are processes of their own."""

from __future__ import annotations

import asyncio
import functools
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import numpy as np
from biosynth.v1 import generation_pb2, generation_pb2_grpc, segmentation_pb2, segmentation_pb2_grpc
from biosynth.v1.types_pb2 import Content
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status

from services.common.imaging.images import encode_png
from tests.bench.serving import server
from tests.bench.table import told
from tests.support.pictures import nuclei_picture

MODEL = "fluo-nuclei"
GOAL_SHARE, GOAL_REFUSAL_S, GOAL_ABANDONED_S = 0.9, 0.020, 1.0


@dataclass
class Ended:
    """How calls ended: when those in time did, how long refusals took, and how many came too late.

    cores: that making these calls took of the machine, which the server then has not.
    """

    in_time: int = 0
    cores: float = 0.0
    late: int = 0
    refused_s: list[float] = field(default_factory=list)

    def refusal(self) -> float:
        """95th percentile of the time that a refusal took; 0 where there was none."""
        return float(np.percentile(self.refused_s, 95)) if self.refused_s else 0.0


class Load:
    """Calls of one server; every Generate is of another seed, so that nothing is found in the store."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._generation: Any = generation_pb2_grpc.GenerationServiceStub(channel)
        self._segmentation: Any = segmentation_pb2_grpc.SegmentationServiceStub(channel)
        self._seed = 0

    async def generate(self, side: int, seconds: float | None, seed: int | None = None) -> None:
        """One Generate of a reference of this side, with this deadline."""
        self._seed += 1
        request = generation_pb2.GenerateRequest(
            reference=reference(side), model=MODEL, seed=self._seed if seed is None else seed
        )
        await self._generation.Generate(request, timeout=seconds)

    async def segment(self) -> None:
        """The same Segment each time."""
        image = Content(file=encode_png(nuclei_picture(128, 128, 6)))
        await self._segmentation.Segment(segmentation_pb2.SegmentRequest(image=image, segmenter="nuclei-threshold"))

    async def counted(self, side: int, seconds: float, ended: Ended) -> float:
        """One Generate; returns how long the server says to wait before the next (0: not at all)."""
        begin = time.perf_counter()
        try:
            await self.generate(side, seconds)
            ended.in_time += 1
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                ended.refused_s.append(time.perf_counter() - begin)
                return _retry_after(error)
            ended.late += 1
        return 0.0

    async def capacity(self, side: int, seconds: float) -> float:
        """Calls a second that four callers without deadlines get."""
        count, until = 0, time.perf_counter() + seconds

        async def caller() -> None:
            nonlocal count
            while time.perf_counter() < until:
                await self.generate(side, None)
                count += 1

        await asyncio.gather(*(caller() for _ in range(4)))
        return count / seconds

    async def closed(self, side: int, callers: int, deadline: float, seconds: float) -> Ended:
        """So many callers, each of whom asks again at once, or, where refused, when the server says."""
        ended, begin, until = Ended(), time.process_time(), time.perf_counter() + seconds

        async def caller() -> None:
            while time.perf_counter() < until:
                await asyncio.sleep(await self.counted(side, deadline, ended))

        await asyncio.gather(*(caller() for _ in range(callers)))
        ended.cores = (time.process_time() - begin) / seconds
        return ended

    async def open(self, side: int, rate: float, deadline: float, seconds: float) -> Ended:
        """So many calls a second, whatever becomes of them; nobody comes again."""
        ended, begin = Ended(), time.process_time()
        async with asyncio.TaskGroup() as calls:
            for _ in range(int(rate * seconds)):
                calls.create_task(self.counted(side, deadline, ended))
                await asyncio.sleep(1 / rate)
        ended.cores = (time.process_time() - begin) / seconds
        return ended


def figures(quick: bool = False) -> list[dict[str, Any]]:
    """Name, value, target and whether it was met, of each figure; quick: briefly, and nothing is judged."""
    rows = asyncio.run(_measured(2.0 if quick else 15.0))
    return [{**row, "met": None} for row in rows] if quick else rows


async def _measured(seconds: float) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    async with _served() as load:
        await asyncio.gather(*(load.generate(256, None) for _ in range(4)))  # the model is loaded, durations are known
        could = await load.capacity(256, seconds)
        closed = await load.closed(256, callers=64, deadline=0.5, seconds=seconds)
        rows += _goodput("64 callers with 0.5 s, 256x256", closed, seconds, could)
        could = await load.capacity(128, seconds)
        opened = await load.open(128, rate=5 * could, deadline=1.0, seconds=seconds)
        rows += _goodput("5x the capacity with 1 s, 128x128", opened, seconds, could)
        rows.append(await _abandoned(load))
        rows.append(await _identical(load))
        rows.append(await _stored(load))
    return rows


def _goodput(name: str, ended: Ended, seconds: float, could: float) -> list[dict[str, Any]]:
    share = ended.in_time / seconds / could
    value = f"{ended.in_time / seconds:.1f}/s of {could:.1f}/s in time ({100 * share:.0f} %), {ended.late} late; "
    value += f"the calls took {ended.cores:.2f} of {os.cpu_count()} cores"
    refusal = ended.refusal()
    return [
        {"name": name, "value": value, "target": ">= 90 % of capacity in time", "met": share >= GOAL_SHARE},
        {
            "name": f"{name}, refusals",
            "value": f"{len(ended.refused_s)}, 95 % within {1000 * refusal:.0f} ms",
            "target": "within 20 ms",
            "met": refusal <= GOAL_REFUSAL_S,
        },
    ]


async def _abandoned(load: Load) -> dict[str, Any]:
    """Eight large calls whose callers give up after a second, then a small one."""
    given_up = await asyncio.gather(*(load.generate(2400, 1.0) for _ in range(8)), return_exceptions=True)
    begin = time.perf_counter()
    await load.generate(64, None)
    waited = time.perf_counter() - begin
    return {
        "name": "a small call after eight of 2400x2400 that were given up",
        "value": f"{waited:.2f} s ({sum(error is not None for error in given_up)} given up)",
        "target": "< 1 s",
        "met": waited < GOAL_ABANDONED_S,
    }


async def _identical(load: Load) -> dict[str, Any]:
    answers = await asyncio.gather(*(load.generate(256, None, seed=10**9) for _ in range(10)), return_exceptions=True)
    got = sum(answer is None for answer in answers)
    return {"name": "ten identical calls at once", "value": f"{got} answered", "target": "all", "met": got == 10}


async def _stored(load: Load) -> dict[str, Any]:
    await load.segment()
    begin = time.perf_counter()
    await load.segment()
    idle = time.perf_counter() - begin
    busy = [asyncio.ensure_future(load.generate(512, None)) for _ in range(24)]
    await asyncio.sleep(0.5)
    begin = time.perf_counter()
    await load.segment()
    waited = time.perf_counter() - begin
    unfinished = sum(not one.done() for one in busy)
    await asyncio.gather(*busy)
    return {
        "name": "a stored Segment behind 24 Generates of 512x512",
        "value": f"{1000 * waited:.0f} ms ({1000 * idle:.0f} idle; {unfinished} computations unfinished)",
        "target": "< 100 ms",
        "met": waited < 0.1,
    }


@asynccontextmanager
async def _served() -> AsyncIterator[Load]:
    with server() as (_, address):
        async with grpc.aio.insecure_channel(address) as channel:
            await asyncio.wait_for(channel.channel_ready(), 60)
            yield Load(channel)


@functools.cache
def reference(side: int) -> Content:
    """Nuclei in a grid."""
    levels = np.zeros((side, side), np.uint8)
    rows, columns = np.mgrid[:side, :side]
    distance = np.hypot(rows % 32 - 16, columns % 32 - 16)
    levels[distance < 11], levels[distance < 10] = 2, 1
    return Content(file=encode_png(levels))


def _retry_after(error: grpc.aio.AioRpcError) -> float:
    status = rpc_status.from_call(error)
    info = RetryInfo()
    delays = [info.retry_delay.ToMilliseconds() / 1000 for one in status.details if one.Unpack(info)] if status else []
    return statistics.mean(delays) if delays else 0.0


if __name__ == "__main__":
    for row in figures("--quick" in sys.argv):
        print(told(row))
