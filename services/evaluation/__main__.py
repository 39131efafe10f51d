"""The evaluation service's process."""

import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from services.common.serving.runtime import Runtime, alone, serve
from services.common.serving.server import Service
from services.evaluation.config import EvaluationConfig
from services.evaluation.servicer import evaluation_service


def _start(runtime: Runtime) -> AbstractAsyncContextManager[Sequence[Service]]:
    config = EvaluationConfig.from_env(os.environ)
    return alone(evaluation_service(runtime, config.lpips(), config.inception()))


if __name__ == "__main__":
    serve(os.environ, _start)
