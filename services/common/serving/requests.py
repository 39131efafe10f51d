"""Requests as they come: unknown methods, bytes that are no message and more bytes than a server takes are refused."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, aclosing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from services.common.errors import BiosynthError, InvalidArgument, MessageTooLarge, NoSuchCall
from services.common.serving.in_flight import InFlight
from services.common.serving.interceptors import Context, Continue, Details, Handler, Refusal

# Messages of so many times the limit are still read, so that their callers are told in our words what to do.
HARD_LIMIT = 1.25
# Replies smaller than this are not counted: as many as there are calls at a time are still few bytes.
SMALL_REPLY = 65536


@dataclass(frozen=True)
class _Taken:
    """A request as it came: the message, and how many bytes it had; or what is wrong with it."""

    message: Any
    size: int
    wrong: BiosynthError | None = None


class Requests(grpc.aio.ServerInterceptor):
    """Refuses what no handler can take; to be the last of the interceptors.

    gRPC itself would do so before any interceptor, neither counted nor logged and without details. It still refuses
    messages of more than HARD_LIMIT times `most_bytes`, unread.
    """

    def __init__(self, in_flight: InFlight, most_bytes: int) -> None:
        self._in_flight, self._most_bytes = in_flight, most_bytes

    async def intercept_service(self, continuation: Continue, handler_call_details: Details) -> Handler | None:
        """Let the handler take what came, and look at it there."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None:
            return Refusal(None, partial(_refuse, method))
        parse = handler.request_deserializer
        if parse is None or handler.request_streaming:
            return handler
        return _taking(handler, partial(_take, parse, method, self._most_bytes), self._in_flight)


def _taking(handler: Handler, take: Callable[[bytes], _Taken], in_flight: InFlight) -> Handler:
    inner: Any = handler.unary_stream if handler.response_streaming else handler.unary_unary

    async def answer(taken: _Taken, context: Context) -> Any:
        with _held(taken, in_flight) as message:
            reply = await inner(message, context)
        until_gone = ExitStack()
        until_gone.enter_context(_held_reply(reply, in_flight))
        let_go: Any = lambda _context: until_gone.close()  # noqa: E731  (the stubs want a class that does not exist)
        context.add_done_callback(let_go)
        return reply

    async def stream(taken: _Taken, context: Context) -> AsyncIterator[Any]:
        with _held(taken, in_flight) as message:
            async with aclosing(inner(message, context)) as responses:
                async for response in responses:
                    with _held_reply(response, in_flight):  # it is gone once the next is asked for
                        yield response

    if not handler.response_streaming:
        return grpc.unary_unary_rpc_method_handler(answer, take, handler.response_serializer)
    # A stream is yielded, or written to the context by a coroutine.
    streaming: Any = stream if inspect.isasyncgenfunction(inner) else answer
    return grpc.unary_stream_rpc_method_handler(streaming, take, handler.response_serializer)


@contextmanager
def _held(taken: _Taken, in_flight: InFlight) -> Iterator[Any]:
    if taken.wrong is not None:
        raise taken.wrong
    with in_flight.held(taken.size):
        yield taken.message


def _held_reply(reply: Any, in_flight: InFlight) -> AbstractContextManager[None]:
    """Holds a large reply. Where there is no room, the caller asks again, and has at once what is stored by now."""
    # A coroutine that writes its replies itself returns None; those are small ones of libraries.
    size = 0 if reply is None else reply.ByteSize()
    return in_flight.held(size) if size >= SMALL_REPLY else nullcontext()


def _take(parse: Callable[[bytes], Any], method: str, most_bytes: int, data: bytes) -> _Taken:
    """What is wrong is kept, not raised: gRPC answers errors from here by itself."""
    size = len(data)
    if size > most_bytes:
        text = f"expected a request of at most {most_bytes} bytes, got {size}; upload the file and name its object"
        return _Taken(None, size, MessageTooLarge(text))
    try:
        return _Taken(parse(data), size)
    except DecodeError:
        text = f"expected the request message of {method.rpartition('/')[2]}; got {size} bytes that are none; is "
        return _Taken(None, size, InvalidArgument(f"{text}the contract of the same version?"))


async def _refuse(method: str, _requests: Any, _context: Context) -> None:
    raise NoSuchCall(
        f"this server does not offer {method[:100]!a}; where each service has an endpoint of its own, name that of the "
        "service that does"
    )
