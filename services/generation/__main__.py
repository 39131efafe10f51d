"""The generation service's process."""

import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.runtime import Runtime, alone, serve
from services.common.server import Service
from services.generation.config import GenerationConfig
from services.generation.loaded import LoadedModels
from services.generation.model import ModelShelf
from services.generation.servicer import generation_service


def start(runtime: Runtime) -> AbstractAsyncContextManager[Sequence[Service]]:
    """Wire the service up with the models of its folders."""
    config = GenerationConfig.from_env(os.environ)
    return alone(generation_service(runtime, LoadedModels(ModelShelf(*config.model_folders), OnnxCpuEngine)))


if __name__ == "__main__":
    serve(os.environ, start)
