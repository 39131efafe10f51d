"""Calls that tell how far they are, over real gRPC with the shipped networks."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import grpc
import numpy as np
import pytest
from biosynth import BiosynthCallError, Client
from biosynth.results import Progress
from biosynth.v1.generation_pb2 import GenerateRequest
from biosynth.v1.segmentation_pb2 import SegmentRequest
from biosynth.v1.types_pb2 import Content

from services.common.imaging.images import encode_png
from tests.support.pictures import nuclei_picture

# Sides of squares: of two tiles of a generator, of four, and of two tiles of a segmenter.
SIDE, LARGE, SEGMENTED = 800, 1500, 1600
TILES = 2


def _reference(side: int) -> Content:
    levels = np.zeros((side, side), np.uint8)
    levels[4:-4, 4:-4] = 1
    return Content(file=encode_png(levels))


def _request(side: int = SIDE, seed: int = 0) -> GenerateRequest:
    return GenerateRequest(reference=_reference(side), model="fluo-nuclei", seed=seed)


def _told(responses: Any) -> tuple[list[tuple[int, int]], Any]:
    """The steps that a stream tells, and its result, which comes last."""
    *steps, last = responses
    assert last.HasField("result")
    return [(step.progress.done, step.progress.total) for step in steps], last.result


def test_a_generation_tells_its_tiles_and_a_stored_one_answers_at_once(client: Client) -> None:
    steps, result = _told(client.generation.GenerateWithProgress(_request()))
    assert steps[0] == (1, TILES)
    assert {total for _, total in steps} == {TILES}
    assert all(before < after for (before, _), (after, _) in pairwise(steps))
    assert result.image.file.startswith(b"\x89PNG")
    steps, again = _told(client.generation.GenerateWithProgress(_request()))
    assert (steps, again.cached, again.image) == ([], True, result.image)
    assert client.generation.Generate(_request()).image == result.image


def test_a_segmentation_tells_its_tiles(client: Client) -> None:
    request = SegmentRequest(
        image=Content(file=encode_png(nuclei_picture(SEGMENTED, SEGMENTED, 3))), segmenter="nuclei"
    )
    steps, result = _told(client.segmentation.SegmentWithProgress(request))
    assert steps[0] == (1, TILES)
    assert result.segmenter.name == "nuclei"


def test_all_who_share_a_computation_are_told_and_get_the_result(client: Client) -> None:
    with ThreadPoolExecutor(3) as callers:
        told = [callers.submit(lambda: _told(client.generation.GenerateWithProgress(_request()))) for _ in range(2)]
        plain = callers.submit(client.generation.Generate, _request())
        (first, one), (second, other) = (call.result() for call in told)
    assert first and second
    assert one.image == other.image == plain.result().image
    assert not one.cached or not other.cached or not plain.result().cached


def test_a_run_tells_of_tiles_inside_its_stages(client: Client) -> None:
    told: list[Progress] = []
    client.run(image=nuclei_picture(SEGMENTED, SEGMENTED, 3), segmenter="nuclei", on_progress=told.append)
    for stage, tiles in (("segment", TILES), ("generate", 6)):
        begun, *inside, ended = [progress for progress in told if progress.stage == stage]
        assert (begun.done, begun.steps, ended.done, ended.steps) == (False, 0, True, 0)
        assert inside[0].steps_done == 1
        assert inside[0].steps == tiles  # of the first pass; one at another scale may follow
    told.clear()
    client.run(image=nuclei_picture(SEGMENTED, SEGMENTED, 3), segmenter="nuclei", on_progress=told.append)
    assert not any(progress.steps for progress in told)  # stored


def test_work_whose_stream_or_run_is_left_ends_at_its_next_tile(client: Client) -> None:
    begin = time.monotonic()
    client.generation.Generate(_request(LARGE, seed=1))
    whole = time.monotonic() - begin
    stream = client.generation.GenerateWithProgress(_request(LARGE, seed=2))
    assert next(stream).progress.done == 1
    stream.cancel()

    def leave(progress: Progress) -> None:
        if progress.steps:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.run(reference=_reference(LARGE).file, model="fluo-nuclei", seed=3, on_progress=leave)
    begin = time.monotonic()  # both threads would still be at work
    client.generation.Generate(_request(64))
    assert time.monotonic() - begin < 0.7 * whole


def test_a_refusal_ends_a_call_with_progress_as_it_ends_the_other(client: Client) -> None:
    with pytest.raises(BiosynthCallError) as caught:
        list(client.generation.GenerateWithProgress(GenerateRequest(reference=_reference(64), model="nope")))
    assert (caught.value.code, list(caught.value.fields)) == (grpc.StatusCode.NOT_FOUND, ["model"])
