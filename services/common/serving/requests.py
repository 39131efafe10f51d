"""Requests as they come: bytes that are no message, and more bytes than a server holds, are refused."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from services.common.errors import InvalidArgument
from services.common.serving.in_flight import InFlight
from services.common.serving.interceptors import Context, Continue, Details, Handler, Refusal


@dataclass(frozen=True)
class _Taken:
    """A request as it came: the message, or None where the bytes were none, and how many bytes there were."""

    message: Any
    size: int


class Requests(grpc.aio.ServerInterceptor):
    """Refuses what is no message, and what is more than the server holds; to be the last of the interceptors.

    gRPC itself would answer bytes that are no message before any interceptor, with UNKNOWN and the name of a Python
    class, and neither counted nor logged.
    """

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight

    async def intercept_service(self, continuation: Continue, handler_call_details: Details) -> Handler | None:
        """Let the handler take what came, and look at it there."""
        handler = await continuation(handler_call_details)
        parse = None if handler is None or isinstance(handler, Refusal) else handler.request_deserializer
        if handler is None or parse is None or handler.request_streaming:
            return handler
        return _taking(handler, partial(_take, parse), handler_call_details.method, self._in_flight)


def _taking(handler: Handler, take: Callable[[bytes], _Taken], method: str, in_flight: InFlight) -> Handler:
    inner: Any = handler.unary_stream if handler.response_streaming else handler.unary_unary

    async def answer(taken: _Taken, context: Context) -> Any:
        with in_flight.held(taken.size):
            return await inner(_message(taken, method), context)

    async def stream(taken: _Taken, context: Context) -> AsyncIterator[Any]:
        with in_flight.held(taken.size):
            async with aclosing(inner(_message(taken, method), context)) as responses:
                async for response in responses:
                    yield response

    if not handler.response_streaming:
        return grpc.unary_unary_rpc_method_handler(answer, take, handler.response_serializer)
    # A stream is yielded, or written to the context by a coroutine.
    streaming: Any = stream if inspect.isasyncgenfunction(inner) else answer
    return grpc.unary_stream_rpc_method_handler(streaming, take, handler.response_serializer)


def _take(parse: Callable[[bytes], Any], data: bytes) -> _Taken:
    try:
        return _Taken(parse(data), len(data))
    except DecodeError:
        return _Taken(None, len(data))


def _message(taken: _Taken, method: str) -> Any:
    if taken.message is None:
        raise InvalidArgument(
            f"expected the request message of {method.rpartition('/')[2]}; got {taken.size} bytes that are none; is "
            "the contract of the same version?"
        )
    return taken.message
