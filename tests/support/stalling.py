"""An S3 store that can stall, and how a Segment of those who use it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from biosynth import BiosynthCallError, Client
from biosynth.v1.segmentation_pb2 import SegmentRequest
from biosynth.v1.types_pb2 import Content

from services.common.imaging.images import encode_png
from tests.support.pictures import nuclei_picture
from tests.support.ports import free_ports
from tests.support.s3_servers import S3Server, seaweedfs
from tests.support.way import Way, way_to


@contextmanager
def stalling_store(folder: Path) -> Iterator[tuple[S3Server, Way]]:
    """A store as it is reached by a way, and the way, whose `hold` makes it stall."""
    with seaweedfs(folder) as server:
        port = free_ports(1)[0]
        host, _, behind = server.endpoint.removeprefix("http://").partition(":")
        with way_to((host, int(behind)), ("127.0.0.1", port)) as way:
            yield replace(server, endpoint=f"http://127.0.0.1:{port}"), way


def how_segment_ends(client: Client, seed: int, seconds: float = 30) -> str:
    """Of a small picture of this seed: computed, stored, or the name of a code."""
    image = Content(file=encode_png(nuclei_picture(48, 48, 3, seed)))
    try:
        answer = client.segmentation.Segment(SegmentRequest(image=image, segmenter="nuclei-threshold"), timeout=seconds)
    except BiosynthCallError as error:
        return error.code.name
    return "stored" if answer.cached else "computed"
