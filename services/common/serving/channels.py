"""Channels from one service to another: TLS, token, the caller's request id and trace, and retries of UNAVAILABLE."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from biosynth.channel import channel_options
from biosynth.status import REQUEST_ID_KEY

from services.common.serving.config import CallerConfig
from services.common.serving.logs import REQUEST_ID
from services.common.serving.tokens import TokenFile
from services.common.serving.traces import calling

# Not biosynth/service_config.json, which callers use: an overload is told to the first caller in the chain, who waits.
_RETRY_POLICY = {
    "maxAttempts": 4,
    "initialBackoff": "0.2s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
# Callers retry too: where a service is down for long, each of theirs would be four of ours. A failure takes a token, a
# success gives half a one back, and nothing is retried while half of all tokens are gone: after ten failures.
_THROTTLING = {"maxTokens": 20, "tokenRatio": 0.5}
_SERVICE_CONFIG = json.dumps(
    {"methodConfig": [{"name": [{}], "retryPolicy": _RETRY_POLICY}], "retryThrottling": _THROTTLING}
)


def open_channel(endpoint: str, config: CallerConfig) -> grpc.aio.Channel:
    """A channel to host:port, dns:///host:port or unix:/path; to be opened and used on one event loop.

    Errors of the called service go to this service's caller as they come, by the Errors interceptor.
    """
    options = [
        *channel_options(),
        ("grpc.enable_http_proxy", 0),  # a container's http_proxy is for the world outside the deployment
        ("grpc.service_config", _SERVICE_CONFIG),
    ]
    sent = _Sent(config.token_file)
    interceptors = [_Unary(sent), _Stream(sent)]
    if config.tls is None:
        return grpc.aio.insecure_channel(endpoint, options, interceptors=interceptors)
    return grpc.aio.secure_channel(endpoint, config.tls.credentials(), options, interceptors=interceptors)


class _Sent:
    """The metadata that every call carries; a changed token counts from the next call on."""

    def __init__(self, token_file: Path | None) -> None:
        self._tokens = TokenFile("BIOSYNTH_ENDPOINT_TOKEN_FILE", token_file) if token_file else None

    def add_to(self, details: grpc.aio.ClientCallDetails, trace: Mapping[str, str]) -> grpc.aio.ClientCallDetails:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        if request_id := REQUEST_ID.get():
            metadata.add(REQUEST_ID_KEY, request_id)
        for name, value in trace.items():
            metadata.add(name, value)
        if self._tokens is not None:
            metadata.add("authorization", f"Bearer {self._tokens.first()}")
        return grpc.aio.ClientCallDetails(
            details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
        )


class _Unary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, sent: _Sent) -> None:
        self._sent = sent

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        with calling(_service(client_call_details.method)) as trace:
            call = await continuation(self._sent.add_to(client_call_details, trace), request)
            try:
                await call
            except grpc.aio.AioRpcError as error:
                error.add_note(_service(client_call_details.method))  # so that status.py can say who failed
                raise
        return call


class _Stream(grpc.aio.UnaryStreamClientInterceptor):  # grpc.aio wants a class for each kind
    def __init__(self, sent: _Sent) -> None:
        self._sent = sent

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        service = _service(client_call_details.method)
        with ExitStack() as opened:
            trace = opened.enter_context(calling(service))
            call = await continuation(self._sent.add_to(client_call_details, trace), request)
            return _named(call, service, opened.pop_all())


async def _named(call: Any, service: str, opened: ExitStack) -> AsyncIterator[Any]:
    """The call's responses; its error says which service failed, as that of a unary call."""
    with opened:
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            error.add_note(service)
            raise
        finally:
            call.cancel()  # no effect after its end


def _service(method: str | bytes) -> str:
    """SegmentationService of /biosynth.v1.SegmentationService/Segment."""
    text = method.decode() if isinstance(method, bytes) else method
    return text.split("/")[1].rpartition(".")[2]
