"""What a server answers to what it cannot take: by which code, with which details, and whether it is counted."""

from __future__ import annotations

import sys
import time
import urllib.request
from typing import Any

import grpc
from biosynth.contract import MIB
from biosynth.status import detail_of, status_of_call
from biosynth.v1.segmentation_pb2 import SegmentRequest
from biosynth.v1.types_pb2 import Content, Delivery
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_health.v1.health_pb2 import HealthCheckRequest
from prometheus_client.parser import text_string_to_metric_families

from services.common.serving.crowding import MOST_CALLS
from tests.bench.load import reference
from tests.bench.serving import server
from tests.bench.table import counts, told
from tests.support.calls import call, code, random_bodies
from tests.support.ports import free_ports

SEGMENT, RUN = "/biosynth.v1.SegmentationService/Segment", "/biosynth.v1.PipelineService/Run"
BODIES, CALLS = 700, 300
ANSWERED, REFUSED_IN_TIME = "OK", "RESOURCE_EXHAUSTED with the time to ask again"


def figures(quick: bool = False) -> list[dict[str, Any]]:
    """Name, value, target and whether it was met, of each figure; quick: the same, but nothing is judged."""
    port = free_ports(1)[0]
    with server(BIOSYNTH_METRICS_PORT=str(port)) as (_, address), grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(60)
        rows = [_random(channel, port), *_refused(channel), _crowd(channel)]
    return [{**row, "met": None} for row in rows] if quick else rows


def _random(channel: grpc.Channel, port: int) -> dict[str, Any]:
    """Bodies that are no message, half of them to a method that answers once, half to one that streams."""
    bodies = random_bodies(BODIES)
    ended = [code(channel, (SEGMENT, RUN)[number % 2], None, body).name for number, body in enumerate(bodies)]
    time.sleep(0.2)  # the server counts a call once its answer is on its way
    counted = _counted(port)
    return {
        "name": f"{BODIES} random request bodies",
        "value": f"{counts(ended)}; the server counted {counted}",
        "target": "INVALID_ARGUMENT, or OK where they are a message; all counted",
        "met": set(ended) <= {"INVALID_ARGUMENT", "OK"} and counted == BODIES,
    }


def _counted(port: int) -> int:
    """Calls of Segment and Run that the server says have ended."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        families = list(text_string_to_metric_families(response.read().decode()))
    samples = [one for family in families for one in family.samples if one.name == "grpc_server_handled_total"]
    return round(sum(one.value for one in samples if one.labels["grpc_method"] in ("Segment", "Run")))


def _refused(channel: grpc.Channel) -> list[dict[str, Any]]:
    unknown, nope = "UNIMPLEMENTED NO_SUCH_CALL", "/biosynth.v1.SegmentationService/Nope"
    nobody = HealthCheckRequest(service="a.B").SerializeToString()
    over, unread = "INVALID_ARGUMENT MESSAGE_TOO_LARGE", "RESOURCE_EXHAUSTED without details"
    return [
        _ends(channel, "an unknown method", nope, b"", unknown),
        _ends(channel, "an unknown service", "/a.B/C", b"", unknown),
        _ends(channel, "health of an unknown name", "/grpc.health.v1.Health/Check", nobody, "NOT_FOUND UNKNOWN_NAME"),
        _ends(channel, "a message of 37 MiB", SEGMENT, _with_file(37 * MIB), over),
        _ends(channel, "a message of 46 MiB, which gRPC refuses unread", SEGMENT, _with_file(46 * MIB), unread),
    ]


def _with_file(size: int) -> bytes:
    return SegmentRequest(image=Content(file=bytes(size))).SerializeToString()


def _ends(channel: grpc.Channel, name: str, method: str, body: bytes, expected: str) -> dict[str, Any]:
    """With which code, and which reason among the details."""
    ended = call(channel, method, None, body)
    status = status_of_call(ended)
    info = detail_of(status, ErrorInfo) if status else None
    value = f"{ended.code().name} {info.reason if info else 'without details'}"
    return {"name": name, "value": value, "target": expected, "met": value == expected}


def _crowd(channel: grpc.Channel) -> dict[str, Any]:
    """More calls than a server works on at a time, of one result: there is one computation, and all last as long."""
    # A grid is a small file: what is refused is refused for the number of calls, not for their bytes.
    request = SegmentRequest(image=reference(1200), segmenter="nuclei-threshold", delivery=Delivery.DELIVERY_OBJECT)
    segment: Any = channel.unary_unary(SEGMENT)
    futures = [segment.future(request.SerializeToString(), timeout=120) for _ in range(CALLS)]
    ended = [_how_ends(future) for future in futures]
    return {
        "name": f"{CALLS} calls of one result at once, more than the {MOST_CALLS} that a server has in work",
        "value": counts(ended),
        "target": f"{ANSWERED}, or {REFUSED_IN_TIME}",
        "met": {ANSWERED} <= set(ended) <= {ANSWERED, REFUSED_IN_TIME},
    }


def _how_ends(future: Any) -> str:
    word: str = future.code().name
    status = status_of_call(future)
    return f"{word} with the time to ask again" if status and detail_of(status, RetryInfo) else word


if __name__ == "__main__":
    for row in figures("--quick" in sys.argv):
        print(told(row))
