"""The evaluation service's process."""

import os

from services.common.serving.runtime import alone, serve
from services.evaluation.config import EvaluationConfig
from services.evaluation.servicer import evaluation_service

if __name__ == "__main__":
    serve(os.environ, lambda runtime: alone(evaluation_service(runtime, EvaluationConfig.from_env(os.environ).lpips())))
