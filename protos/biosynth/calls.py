"""What every call of the client has: a deadline, metadata, retries and typed errors."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import grpc

from biosynth.failures import failure_of
from biosynth.retry import RetryPolicy
from biosynth.status import REQUEST_ID_KEY

# Streams that may begin again after messages have come: what is in the store is found, and progress repeats. Of a
# comparison and of a shard that is the whole, once it is done.
_REPEATABLE = (
    "/biosynth.v1.PipelineService/Run",
    "/biosynth.v1.EvaluationService/CompareSets",
    "/biosynth.v1.SegmentationService/SegmentWithProgress",
    "/biosynth.v1.GenerationService/GenerateWithProgress",
    "/biosynth.v1.GenerationService/GenerateShard",
)


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: tuple[tuple[str, str | bytes], ...]
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _DetailsOfCall(grpc.ClientCallDetails, _Details):  # type: ignore[misc] # gRPC wants its own base
    pass


class ReliableCalls(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Wraps each call over a channel; whatever goes wrong is raised as BiosynthCallError.

    timeout_s bounds a call with all its retries, unless the call names its own.
    """

    def __init__(self, target: str, timeout_s: float, policy: RetryPolicy, token: str | None) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._policy = policy
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Call, and call again after failures that may pass."""
        attempt = self._attempts(continuation, client_call_details, request)
        retry = 0
        while True:
            outcome, deadline = attempt()
            if outcome.code() is grpc.StatusCode.OK:
                return outcome
            cause = outcome.exception()
            if not isinstance(cause, grpc.RpcError):
                raise cause  # the caller's mistake, such as a closed channel
            self._policy.pause(retry, failure_of(outcome, self._target), deadline)
            retry += 1

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Call; begin again only while no message has come, unless the method is one of _REPEATABLE."""
        is_repeatable = client_call_details.method in _REPEATABLE
        attempt = self._attempts(continuation, client_call_details, request)
        return Responses(attempt, self._policy, self._target, is_repeatable)

    def _attempts(self, continuation: Any, details: Any, request: Any) -> Callable[[], tuple[Any, float]]:
        """A function that makes one more attempt, under one deadline and one request id for all of them."""
        clock = self._policy.clock
        deadline = clock() + (self._timeout_s if details.timeout is None else details.timeout)
        metadata = tuple(details.metadata or ()) + self._metadata
        if REQUEST_ID_KEY not in dict(metadata):
            metadata += ((REQUEST_ID_KEY, uuid.uuid4().hex),)

        def attempt() -> tuple[Any, float]:
            remaining = max(deadline - clock(), 0.001)
            sent = _DetailsOfCall(
                details.method, remaining, metadata, details.credentials, details.wait_for_ready, details.compression
            )
            return continuation(sent, request), deadline

        return attempt


class Responses(Iterator[Any]):
    """The messages of a stream, which begins again after a failure that may pass.

    It does so before the first message only or, where it `is_repeatable`, at any time: messages may then come twice.
    """

    def __init__(
        self, attempt: Callable[[], tuple[Any, float]], policy: RetryPolicy, target: str, is_repeatable: bool
    ) -> None:
        self._attempt = attempt
        self._policy = policy
        self._target = target
        self._call, self._deadline = attempt()
        self._retry = 0
        self._is_repeatable = is_repeatable
        self._has_begun = False

    def __next__(self) -> Any:
        while True:
            try:
                message = next(self._call)
            except grpc.RpcError:
                failure = failure_of(self._call, self._target)
                if self._has_begun and not self._is_repeatable:
                    raise failure.error from None
                self._policy.pause(self._retry, failure, self._deadline)
                self._retry += 1
                self._call, self._deadline = self._attempt()
                continue
            self._has_begun = True
            return message

    def cancel(self) -> None:
        """Tell the server that nobody listens any more."""
        self._call.cancel()
