"""Many callers with large images at once, and a pipeline that holds what they send, since nobody answers it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
from biosynth.contract import MIB
from biosynth.v1 import pipeline_pb2, pipeline_pb2_grpc
from biosynth.v1.types_pb2 import Content

from services.common.imaging.images import encode_png
from tests.support.ports import free_ports
from tests.support.processes import serving

_MESSAGE_BYTES = 48 * MIB


@contextmanager
def unanswered_pipeline(folder: Path) -> Iterator[tuple[str, int]]:
    """Address and pid of a pipeline whose services take calls and never answer; its store is in `folder`."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nobody = f"127.0.0.1:{silent.getsockname()[1]}"
        endpoints = {f"BIOSYNTH_{name}_ENDPOINT": nobody for name in ("SEGMENTATION", "REFERENCE", "GENERATION")}
        store = {"BIOSYNTH_STORE": "folder", "BIOSYNTH_STORE_PATH": str(folder)}
        environment = {**os.environ, **endpoints, **store, "BIOSYNTH_ADDRESS": address, "BIOSYNTH_DRAIN_SECONDS": "0"}
        with serving(["services.pipeline"], environment) as pid:
            yield address, pid


def large_runs(address: str, count: int) -> list[str]:
    """How so many Runs of a PNG of 14.4 MiB end, all at once."""
    noise = np.random.default_rng(0).integers(0, 65536, (2700, 2800), np.uint16)
    return asyncio.run(_all_at_once(address, encode_png(noise), count, grpc.Compression.NoCompression))


def bombs(address: str, count: int) -> list[str]:
    """How so many Runs of 34 MiB end that gRPC compressed to 34 KiB, all at once."""
    return asyncio.run(_all_at_once(address, bytes(34 * MIB), count, grpc.Compression.Gzip))


async def _all_at_once(address: str, image: bytes, count: int, compression: grpc.Compression) -> list[str]:
    """How as many callers end, each with a connection of his own."""
    request = pipeline_pb2.RunRequest(image=Content(file=image))
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", _MESSAGE_BYTES)]

    async def call() -> str:
        async with grpc.aio.insecure_channel(address, options, compression) as channel:
            responses: Any = pipeline_pb2_grpc.PipelineServiceStub(channel).Run(request, timeout=60)
            try:
                async for _ in responses:
                    pass
            except grpc.aio.AioRpcError as error:
                return error.code().name
            return "OK"

    return await asyncio.gather(*(call() for _ in range(count)))
