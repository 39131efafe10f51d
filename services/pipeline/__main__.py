"""The pipeline service's process."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from services.common.serving.config import EndpointsConfig
from services.common.serving.expiry_metrics import show_ends_of_caller
from services.common.serving.runtime import Runtime, serve
from services.common.serving.server import Service
from services.pipeline.catalogue import connected
from services.pipeline.reachability import all_answer
from services.pipeline.servicer import pipeline_service


@asynccontextmanager
async def start(runtime: Runtime) -> AsyncIterator[Sequence[Service]]:
    """Wire the service up with channels to those that it calls."""
    endpoints = EndpointsConfig.from_env(os.environ)
    show_ends_of_caller(runtime.metrics.expiry, endpoints.caller)
    async with connected(endpoints) as stubs:
        yield [pipeline_service(runtime, stubs, partial(all_answer, endpoints))]


if __name__ == "__main__":
    serve(os.environ, start)
