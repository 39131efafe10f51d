"""EvaluationService: the contract's calls, answered plainly until the metrics service is built."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from biosynth.v1 import evaluation_pb2, evaluation_pb2_grpc

from services.common.errors import NotImplementedYet
from services.common.serving.runtime import Runtime
from services.common.serving.server import Context, Service

MESSAGE = "images cannot be compared in this version"


class EvaluationServicer(evaluation_pb2_grpc.EvaluationServiceServicer):
    """Says what is missing, and never makes up a metric."""

    async def ComparePair(
        self, request: evaluation_pb2.ComparePairRequest, context: Context
    ) -> evaluation_pb2.ComparePairResponse:
        raise NotImplementedYet(MESSAGE, missing="metrics of a pair")

    async def CompareSets(
        self, request: evaluation_pb2.CompareSetsRequest, context: Context
    ) -> AsyncIterator[evaluation_pb2.CompareSetsResponse]:
        raise NotImplementedYet(MESSAGE, missing="metrics of sets")
        yield  # type: ignore[unreachable]  # makes this an async generator, as the contract's stream is


def evaluation_service(runtime: Runtime) -> Service:  # noqa: ARG001  (every service is built from a runtime)
    """The service, ready to be added to a server."""
    add = evaluation_pb2_grpc.add_EvaluationServiceServicer_to_server
    return Service("biosynth.v1.EvaluationService", partial(add, EvaluationServicer()))
