"""The pipeline service's process."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from services.common.config import EndpointsConfig
from services.common.runtime import Runtime, serve
from services.common.server import Service
from services.pipeline.catalogue import connected
from services.pipeline.servicer import pipeline_service


@asynccontextmanager
async def start(runtime: Runtime) -> AsyncIterator[Sequence[Service]]:
    """Wire the service up with channels to those that it calls."""
    async with connected(EndpointsConfig.from_env(os.environ)) as stubs:
        yield [pipeline_service(runtime, stubs)]


if __name__ == "__main__":
    serve(os.environ, start)
