"""Asks the health port of this container, as `grpc_health_probe` would: exit code 0 where it says SERVING."""

from __future__ import annotations

import os
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_SECONDS = 3.0


def main() -> None:
    """Ask once and exit."""
    port = os.environ.get("BIOSYNTH_HEALTH_ADDRESS", "").rpartition(":")[2]
    if not port:
        sys.exit("BIOSYNTH_HEALTH_ADDRESS is not set; the probe asks the port that it names")
    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
        except grpc.RpcError as error:
            sys.exit(f"no answer on port {port}: {error.code().name}")
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        sys.exit(f"not serving: {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}")


if __name__ == "__main__":
    main()
