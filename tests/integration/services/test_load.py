"""Many calls at once, and callers who leave, over real gRPC with the shipped network."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from biosynth import BiosynthCallError, Client
from biosynth.v1.generation_pb2 import GenerateRequest
from biosynth.v1.segmentation_pb2 import SegmentRequest
from biosynth.v1.types_pb2 import Content

from services.common.imaging.images import encode_png
from tests.support.pictures import nuclei_picture


def _reference(side: int) -> Content:
    levels = np.zeros((side, side), np.uint8)
    levels[4:-4, 4:-4] = 2
    levels[6:-6, 6:-6] = 1
    return Content(file=encode_png(levels))


SMALL, MEDIUM, LARGE = _reference(64), _reference(700), _reference(1700)


def _generate(client: Client, reference: Content, seed: int, seconds: float) -> str:
    """Name of the code that a Generate ends with."""
    try:
        client.generation.Generate(
            GenerateRequest(reference=reference, model="fluo-nuclei", seed=seed), timeout=seconds
        )
    except BiosynthCallError as error:
        return error.code.name
    return "OK"


def test_ten_who_ask_for_the_same_all_get_it(client: Client) -> None:
    with ThreadPoolExecutor(10) as callers:
        codes = list(callers.map(lambda _: _generate(client, SMALL, 1, 30), range(10)))
    assert codes == ["OK"] * 10


def test_a_stored_result_does_not_wait_behind_computations(client: Client) -> None:
    stored = SegmentRequest(image=Content(file=encode_png(nuclei_picture(64, 64, 3))), segmenter="nuclei-threshold")
    client.segmentation.Segment(stored)
    with ThreadPoolExecutor(8) as callers:
        busy = [callers.submit(_generate, client, MEDIUM, seed, 60) for seed in range(8)]
        time.sleep(0.3)
        begin = time.monotonic()
        assert client.segmentation.Segment(stored).cached
        waited = time.monotonic() - begin
        assert not all(one.done() for one in busy)  # there was something to wait for
        assert waited < 2.0


def test_abandoned_work_ends_at_its_next_tile(client: Client) -> None:
    begin = time.monotonic()
    assert _generate(client, LARGE, 99, 120) == "OK"
    whole = time.monotonic() - begin
    with ThreadPoolExecutor(6) as callers:
        codes = Counter(callers.map(lambda seed: _generate(client, LARGE, seed, 0.3), range(6)))
    assert codes.keys() <= {"DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
    # Nobody waits for any of them; two would still run.
    begin = time.monotonic()
    assert _generate(client, SMALL, 2, 120) == "OK"
    assert time.monotonic() - begin < 0.7 * whole
