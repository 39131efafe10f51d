"""What stays of a server's memory and places after thousands of calls, and how it ends under load."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import grpc.aio
import numpy as np
from biosynth.v1 import generation_pb2, generation_pb2_grpc, segmentation_pb2, segmentation_pb2_grpc
from biosynth.v1.types_pb2 import Content

from services.common.imaging.images import encode_png
from tests.bench.load import MODEL, Load, reference
from tests.bench.serving import SERVE, server
from tests.bench.table import counts, told
from tests.support.pictures import nuclei_picture
from tests.support.processes import resident

REQUESTS, CANCELLED = 10_000, 10_000
MOST_GROWTH = 0.05
LEAKY = ("-m", "tests.bench.leaky")
DRAIN_S = 20


def figures(quick: bool = False) -> list[dict[str, Any]]:
    """Name, value, target and whether it was met, of each figure; quick: briefly, and nothing is judged."""
    requests, cancelled, side = (300, 300, 1200) if quick else (REQUESTS, CANCELLED, 2400)
    rows = [
        asyncio.run(_memory("memory", SERVE, requests, leaks=False)),
        asyncio.run(_memory("memory of a control that keeps 16 KiB of each", LEAKY, requests, leaks=True)),
        asyncio.run(_cancelled(cancelled)),
        asyncio.run(_drained(side)),
    ]
    return [{**row, "met": None} for row in rows] if quick else rows


@asynccontextmanager
async def _channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(address) as channel:
        await asyncio.wait_for(channel.channel_ready(), 60)
        yield channel


async def _memory(name: str, command: Sequence[str], requests: int, leaks: bool) -> dict[str, Any]:
    """How much the second half of so many calls adds: computed, stored and refused ones."""
    with server(command) as (process, address):
        async with _channel(address) as channel:
            numbers = iter(range(2 * requests))
            await _mixed(channel, itertools.islice(numbers, requests // 10))  # all is loaded and has its usual size
            sizes = [resident(process.pid)]
            for _ in range(2):
                await _mixed(channel, itertools.islice(numbers, requests // 2))
                sizes.append(resident(process.pid))
    growth = sizes[2] / sizes[1] - 1
    return {
        "name": f"{requests} calls, {name}",
        "value": f"{' -> '.join(f'{size / 1e6:.0f}' for size in sizes)} MB; the second half adds {100 * growth:.1f} %",
        "target": f"{'more' if leaks else 'less'} than 5 %",
        "met": (growth > MOST_GROWTH) is leaks,
    }


async def _mixed(channel: grpc.aio.Channel, numbers: Any) -> None:
    """Eight callers share these calls."""
    segmentation: Any = segmentation_pb2_grpc.SegmentationServiceStub(channel)
    generation: Any = generation_pb2_grpc.GenerationServiceStub(channel)
    known = Content(file=encode_png(nuclei_picture(64, 64, 3)))

    async def call(number: int) -> None:
        if number % 10 == 0:
            await generation.Generate(generation_pb2.GenerateRequest(reference=reference(64), model=MODEL, seed=number))
        elif number % 10 < 5:
            image = np.random.default_rng(number).integers(0, 256, (64, 64), np.uint8)
            request = segmentation_pb2.SegmentRequest(image=Content(file=encode_png(image)), segmenter="wound")
            await segmentation.Segment(request)
        elif number % 10 < 9:
            await segmentation.Segment(segmentation_pb2.SegmentRequest(image=known, segmenter="nuclei-threshold"))
        else:
            with suppress(grpc.aio.AioRpcError):  # an unknown name
                await segmentation.Segment(segmentation_pb2.SegmentRequest(image=known, segmenter=f"none-{number}"))

    async def caller() -> None:
        for number in numbers:
            await call(number)

    await asyncio.gather(*(caller() for _ in range(8)))


async def _cancelled(count: int) -> dict[str, Any]:
    """So many calls that are cancelled while they wait, in waves as large as the queue; then a small one."""
    with server() as (process, address):
        async with _channel(address) as channel:
            load = Load(channel)
            await load.generate(64, None)
            before = resident(process.pid)
            for _ in range(count // 50):
                wave = [asyncio.ensure_future(load.generate(512, None)) for _ in range(50)]
                await asyncio.sleep(0.02)
                for call in wave:
                    call.cancel()
                await asyncio.wait(wave)
            begin = time.perf_counter()
            await load.generate(64, None)
            waited = time.perf_counter() - begin
            growth = resident(process.pid) / before - 1
    return {
        "name": f"a small call after {count} that were cancelled as they waited",
        "value": f"{waited:.2f} s; memory {100 * growth:+.0f} %",
        "target": "< 1 s",
        "met": waited < 1.0,
    }


async def _drained(side: int) -> dict[str, Any]:
    """SIGTERM with ten calls in work, two of which run: none is lost, and the process is gone within the grace."""
    with server(BIOSYNTH_DRAIN_SECONDS=str(DRAIN_S)) as (process, address):
        async with _channel(address) as channel:
            load = Load(channel)
            await asyncio.gather(*(load.generate(side, None) for _ in range(2)))  # how long they take is known
            calls = [asyncio.ensure_future(load.generate(side, None)) for _ in range(10)]
            await asyncio.sleep(1.0)
            process.send_signal(signal.SIGTERM)
            begin = time.perf_counter()
            ended = [_word(one) for one in await asyncio.gather(*calls, return_exceptions=True)]
        await asyncio.to_thread(process.wait, 60)
        seconds = time.perf_counter() - begin
    return {
        "name": f"SIGTERM with ten calls of {side}x{side} in work",
        "value": f"{counts(ended)}; gone after {seconds:.1f} s",
        "target": f"done, or refused with the time to ask again; gone within {DRAIN_S + 2} s",
        "met": set(ended) <= {"done", "refused"} and seconds < DRAIN_S + 2,
    }


def _word(outcome: BaseException | None) -> str:
    if outcome is None:
        return "done"
    if not isinstance(outcome, grpc.aio.AioRpcError):
        raise outcome
    told = "grpc-retry-pushback-ms" in dict(outcome.trailing_metadata() or ())
    return "refused" if told else f"lost ({outcome.code().name} {outcome.details()})"


if __name__ == "__main__":
    for row in figures("--quick" in sys.argv):
        print(told(row))
