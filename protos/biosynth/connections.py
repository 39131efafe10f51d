"""The stubs of all services, over one endpoint or several."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Self

import grpc

from biosynth.calls import ReliableCalls
from biosynth.channel import TlsOptions, check_token_is_safe, open_channel
from biosynth.contract import REPLY_BYTES, REQUEST_BYTES
from biosynth.errors import InvalidInputError
from biosynth.retry import RetryPolicy
from biosynth.v1.evaluation_pb2_grpc import EvaluationServiceStub
from biosynth.v1.generation_pb2_grpc import GenerationServiceStub
from biosynth.v1.pipeline_pb2_grpc import PipelineServiceStub
from biosynth.v1.reference_pb2_grpc import ReferenceServiceStub
from biosynth.v1.segmentation_pb2_grpc import SegmentationServiceStub

SERVICES = ("segmentation", "reference", "generation", "evaluation", "pipeline")


class Connections:
    """Generated stubs whose calls have deadlines, retries, the token, and raise BiosynthCallError.

    endpoint: host:port, dns:///host:port or unix:/path for all services, or one for each name of SERVICES that is used.
    token: sent as `authorization: Bearer`, only by TLS, to a Unix socket or to this machine. timeout_s: bounds a call
    with all its retries; `timeout=` at a stub's call overrides it. retries: the most per call, or a policy.
    max_request_bytes, max_reply_bytes: of one message; servers refuse requests over a limit of their own (36 MiB).
    A context manager; it connects with the first call.
    """

    def __init__(
        self,
        endpoint: str | Mapping[str, str],
        *,
        token: str | None = None,
        tls: TlsOptions | None = None,
        timeout_s: float = 300.0,
        retries: int | RetryPolicy = 4,
        max_request_bytes: int = REQUEST_BYTES,
        max_reply_bytes: int = REPLY_BYTES,
    ) -> None:
        self._endpoints = dict.fromkeys(SERVICES, endpoint) if isinstance(endpoint, str) else dict(endpoint)
        if unknown := sorted(set(self._endpoints) - set(SERVICES)):
            raise InvalidInputError(f"expected endpoints for some of {', '.join(SERVICES)}; got {', '.join(unknown)}")
        for target in set(self._endpoints.values()) if token else ():
            check_token_is_safe(target, tls)
        self._policy = retries if isinstance(retries, RetryPolicy) else RetryPolicy(retries)
        self._token, self._tls, self._timeout_s = token, tls, timeout_s
        self._message_bytes = max_request_bytes, max_reply_bytes
        self._channels: dict[str, tuple[grpc.Channel, grpc.Channel]] = {}  # by endpoint: bare, and with ReliableCalls

    @cached_property
    def segmentation(self) -> SegmentationServiceStub:
        """The segmentation service, with the contract's own messages."""
        return SegmentationServiceStub(self._channel("segmentation"))

    @cached_property
    def reference(self) -> ReferenceServiceStub:
        """The reference service, with the contract's own messages."""
        return ReferenceServiceStub(self._channel("reference"))

    @cached_property
    def generation(self) -> GenerationServiceStub:
        """The generation service, with the contract's own messages."""
        return GenerationServiceStub(self._channel("generation"))

    @cached_property
    def evaluation(self) -> EvaluationServiceStub:
        """The evaluation service, with the contract's own messages."""
        return EvaluationServiceStub(self._channel("evaluation"))

    @cached_property
    def pipeline(self) -> PipelineServiceStub:
        """The pipeline service, with the contract's own messages."""
        return PipelineServiceStub(self._channel("pipeline"))

    def close(self) -> None:
        """End all connections; calls in flight are cancelled."""
        for bare, _ in self._channels.values():
            bare.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _channel(self, service: str) -> grpc.Channel:
        target = self._endpoints.get(service)
        if target is None:
            raise InvalidInputError(f"no endpoint for the {service} service; got some for {', '.join(self._endpoints)}")
        if target not in self._channels:
            bare = open_channel(target, self._tls, *self._message_bytes)
            around = ReliableCalls(target, self._timeout_s, self._policy, self._token)
            self._channels[target] = bare, grpc.intercept_channel(bare, around)
        return self._channels[target][1]
