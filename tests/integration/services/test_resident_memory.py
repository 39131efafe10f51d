"""A server's memory stays under the limit of its manifest, whatever callers send at once."""

from __future__ import annotations

import os
from pathlib import Path

import grpc
import numpy as np
import pytest
from biosynth import BiosynthCallError, Client
from biosynth.contract import MIB
from biosynth.v1.segmentation_pb2 import SegmentRequest
from biosynth.v1.types_pb2 import Content

from services.common.imaging.images import encode_png
from tests.support.crowd import bombs, large_runs, unanswered_pipeline
from tests.support.manifests import memory_limit
from tests.support.ports import free_ports
from tests.support.processes import resident, serving


def test_forty_runs_of_15_mib_at_once_and_sixty_of_a_bomb_stay_under_the_limit(tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("reads /proc, which this system lacks")
    with unanswered_pipeline(tmp_path) as (address, pid):
        assert set(large_runs(address, 40)) <= {"RESOURCE_EXHAUSTED", "UNAVAILABLE"}
        assert set(bombs(address, 60)) == {"UNIMPLEMENTED"}
        assert resident(pid, peak=True) < memory_limit("pipeline")


def test_an_image_that_never_fits_is_refused_with_what_there_is_and_a_smaller_one_is_answered(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    memory = {"BIOSYNTH_MEMORY_BYTES": str(2048 * MIB), "BIOSYNTH_STORE_PATH": str(tmp_path)}
    environment = {**os.environ, "BIOSYNTH_STORE": "folder", **memory, "BIOSYNTH_ADDRESS": address}
    with serving(["services.segmentation"], environment), Client(address, retries=0) as client:
        with pytest.raises(BiosynthCallError, match="9000000 pixels takes about 1282 MiB") as refused:
            client.segmentation.Segment(_dark(3000), timeout=60)
        assert (refused.value.reason, refused.value.code) == ("IMAGE_TOO_LARGE", grpc.StatusCode.INVALID_ARGUMENT)
        assert list(refused.value.fields) == ["image"]
        assert client.segmentation.Segment(_dark(500), timeout=60).summary.height_px == 500


def _dark(side: int) -> SegmentRequest:
    return SegmentRequest(image=Content(file=encode_png(np.zeros((side, side), np.uint8))), segmenter="wound")
