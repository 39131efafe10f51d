"""Several services, or all, in one process: the same servicers that run alone in containers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec

from services.common.serving.config import EndpointsConfig
from services.common.serving.runtime import Runtime
from services.common.serving.server import Service
from services.evaluation.config import EvaluationConfig
from services.evaluation.servicer import evaluation_service
from services.generation.config import GenerationConfig
from services.generation.loaded import LoadedModels
from services.generation.opening import opened_models
from services.generation.servicer import generation_service
from services.pipeline.catalogue import Stubs, connected
from services.pipeline.reachability import CALLED, all_answer
from services.pipeline.servicer import pipeline_service
from services.reference.servicer import reference_service
from services.segmentation.config import SegmentationConfig
from services.segmentation.servicer import segmentation_service
from services.training.judge.pixel_judge import PixelJudge

SERVICES = ("segmentation", "reference", "generation", "evaluation", "pipeline")


@dataclass(frozen=True)
class Composition:
    """Which services to run, with which models, and where the pipeline finds the others."""

    names: Sequence[str]
    generation: GenerationConfig
    endpoints: EndpointsConfig
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    segmentation: SegmentationConfig = field(default_factory=SegmentationConfig)

    @asynccontextmanager
    async def start(self, runtime: Runtime) -> AsyncIterator[Sequence[Service]]:
        """Build the services; to be entered on the server's event loop."""
        async with connected(self.endpoints) as stubs:
            with self._models(runtime) as models:
                builders = self._builders(runtime, stubs, models)
                yield [builders[name]() for name in self.names]

    @property
    def _is_whole(self) -> bool:
        """Whether all that the pipeline calls runs here too."""
        return set(CALLED) <= set(self.names)

    def _others_answer(self) -> AsyncIterator[bool]:
        return all_answer(self.endpoints)

    def _models(self, runtime: Runtime) -> AbstractContextManager[LoadedModels | None]:
        """The models, where this process generates."""
        return opened_models(self.generation, runtime) if "generation" in self.names else nullcontext()

    def _builders(
        self, runtime: Runtime, stubs: Stubs, models: LoadedModels | None
    ) -> dict[str, Callable[[], Service]]:
        builders = {
            "segmentation": lambda: segmentation_service(runtime, self.segmentation.segmenters()),
            "reference": lambda: reference_service(runtime),
            "evaluation": lambda: evaluation_service(
                runtime, self.evaluation.lpips(), self.evaluation.inception(), PixelJudge() if _has_torch() else None
            ),
            "pipeline": lambda: pipeline_service(runtime, stubs, None if self._is_whole else self._others_answer),
        }
        if models is not None:
            builders["generation"] = lambda: generation_service(runtime, models)
        return builders


def _has_torch() -> bool:
    return find_spec("torch") is not None  # without importing it, which takes seconds
