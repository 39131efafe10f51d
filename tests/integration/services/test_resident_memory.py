"""A server's memory stays under the limit of its manifest, whatever callers send at once."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
import yaml
from biosynth import BiosynthCallError, Client
from biosynth.v1 import pipeline_pb2, pipeline_pb2_grpc
from biosynth.v1.segmentation_pb2 import SegmentRequest
from biosynth.v1.types_pb2 import Content

from services.common.imaging.images import encode_png
from tests.support.ports import free_ports
from tests.support.processes import resident, serving

ROOT = Path(__file__).parents[3]
MIB = 1024**2
MESSAGE_BYTES = 48 * MIB


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Address and pid of a pipeline whose services take calls and never answer."""
    if not Path("/proc/self/status").exists():
        pytest.skip("reads /proc, which this system lacks")
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nobody = f"127.0.0.1:{silent.getsockname()[1]}"
        endpoints = {f"BIOSYNTH_{name}_ENDPOINT": nobody for name in ("SEGMENTATION", "REFERENCE", "GENERATION")}
        folder = {"BIOSYNTH_STORE": "folder", "BIOSYNTH_STORE_PATH": str(tmp_path)}
        environment = {**os.environ, **endpoints, **folder, "BIOSYNTH_ADDRESS": address, "BIOSYNTH_DRAIN_SECONDS": "0"}
        with serving(["services.pipeline"], environment) as pid:
            yield address, pid


def test_forty_runs_of_15_mib_at_once_and_sixty_of_a_bomb_stay_under_the_limit(pipeline: tuple[str, int]) -> None:
    address, pid = pipeline
    noise = np.random.default_rng(0).integers(0, 65536, (2700, 2800), np.uint16)
    image = encode_png(noise)
    assert 14 * MIB < len(image) < 16 * MIB
    large = pipeline_pb2.RunRequest(image=Content(file=image))
    assert asyncio.run(_all_at_once(address, large, 40, grpc.Compression.NoCompression)) <= {
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
    }
    bomb = pipeline_pb2.RunRequest(image=Content(file=bytes(34 * MIB)))
    assert asyncio.run(_all_at_once(address, bomb, 60, grpc.Compression.Gzip)) == {grpc.StatusCode.UNIMPLEMENTED}
    manifest = yaml.safe_load((ROOT / "deploy/k8s/base/pipeline/deployment.yaml").read_text())
    limit = manifest["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    assert limit.endswith("Gi")
    assert resident(pid, peak=True) < int(limit.removesuffix("Gi")) * 1024 * MIB


def test_an_image_that_never_fits_is_refused_with_what_there_is_and_a_smaller_one_is_answered(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    memory = {"BIOSYNTH_MEMORY_BYTES": str(2048 * MIB), "BIOSYNTH_STORE_PATH": str(tmp_path)}
    environment = {**os.environ, "BIOSYNTH_STORE": "folder", **memory, "BIOSYNTH_ADDRESS": address}
    with serving(["services.segmentation"], environment), Client(address, retries=0) as client:
        with pytest.raises(BiosynthCallError, match="9000000 pixels takes about 1026 MiB") as refused:
            client.segmentation.Segment(_dark(3000), timeout=60)
        assert (refused.value.reason, refused.value.code) == ("IMAGE_TOO_LARGE", grpc.StatusCode.INVALID_ARGUMENT)
        assert list(refused.value.fields) == ["image"]
        assert client.segmentation.Segment(_dark(500), timeout=60).summary.height_px == 500


def _dark(side: int) -> SegmentRequest:
    return SegmentRequest(image=Content(file=encode_png(np.zeros((side, side), np.uint8))), segmenter="wound")


async def _all_at_once(
    address: str, request: pipeline_pb2.RunRequest, count: int, compression: grpc.Compression
) -> set[grpc.StatusCode]:
    """How as many callers end, each with a connection of his own."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", MESSAGE_BYTES)]

    async def call() -> grpc.StatusCode:
        async with grpc.aio.insecure_channel(address, options, compression) as channel:
            responses: Any = pipeline_pb2_grpc.PipelineServiceStub(channel).Run(request, timeout=60)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                async for _ in responses:
                    pass
            return refused.value.code()

    return set(await asyncio.gather(*(call() for _ in range(count))))
