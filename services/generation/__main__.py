"""The generation service's process."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from services.common.serving.runtime import Runtime, serve
from services.common.serving.server import Service
from services.generation.config import GenerationConfig
from services.generation.opening import opened_models
from services.generation.servicer import generation_service


@asynccontextmanager
async def start(runtime: Runtime) -> AsyncIterator[Sequence[Service]]:
    """Wire the service up with its models, all loaded before the first call."""
    with opened_models(GenerationConfig.from_env(os.environ), runtime) as models:
        models.load_all()
        yield [generation_service(runtime, models)]


if __name__ == "__main__":
    serve(os.environ, start)
