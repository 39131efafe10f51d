"""Several services, or all, in one process: the same servicers that run alone in containers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.common.config import EndpointsConfig
from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.runtime import Runtime
from services.common.server import Service
from services.evaluation.servicer import evaluation_service
from services.generation.config import GenerationConfig
from services.generation.loaded import LoadedModels
from services.generation.model import ModelShelf
from services.generation.servicer import generation_service
from services.pipeline.catalogue import Stubs, connected
from services.pipeline.servicer import pipeline_service
from services.reference.servicer import reference_service
from services.segmentation.servicer import segmentation_service

SERVICES = ("segmentation", "reference", "generation", "evaluation", "pipeline")


@dataclass(frozen=True)
class Composition:
    """Which services to run, with which models, and where the pipeline finds the others."""

    names: Sequence[str]
    generation: GenerationConfig
    endpoints: EndpointsConfig

    @asynccontextmanager
    async def start(self, runtime: Runtime) -> AsyncIterator[Sequence[Service]]:
        """Build the services; to be entered on the server's event loop."""
        async with connected(self.endpoints) as stubs:
            builders = self._builders(runtime, stubs)
            yield [builders[name]() for name in self.names]

    def _builders(self, runtime: Runtime, stubs: Stubs) -> dict[str, Callable[[], Service]]:
        def generation() -> Service:
            return generation_service(runtime, LoadedModels(ModelShelf(*self.generation.model_folders), OnnxCpuEngine))

        return {
            "segmentation": lambda: segmentation_service(runtime),
            "reference": lambda: reference_service(runtime),
            "generation": generation,
            "evaluation": lambda: evaluation_service(runtime),
            "pipeline": lambda: pipeline_service(runtime, stubs),
        }
