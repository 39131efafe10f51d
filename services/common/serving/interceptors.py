"""What happens around every call: a request id, metrics and a log line, authentication, and the answer to errors."""

from __future__ import annotations

import inspect
import logging
import re
import time
import uuid
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import grpc
import grpc.aio
from biosynth.status import REQUEST_ID_KEY
from google.protobuf.message import DecodeError

from services.common.errors import InvalidArgument
from services.common.serving.deadline import DEADLINE
from services.common.serving.in_flight import InFlight
from services.common.serving.logs import REQUEST_ID
from services.common.serving.metrics import Metrics
from services.common.serving.status import abort, status_of

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the stubs only
Details: TypeAlias = grpc.HandlerCallDetails
Continue: TypeAlias = "Callable[[Details], Awaitable[Handler | None]]"

_HEALTH = "grpc.health.v1.Health"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NAMES = {int(code.value[0]): code.name for code in grpc.StatusCode}
_log = logging.getLogger("biosynth.calls")


@dataclass(frozen=True)
class Call:
    """One call: what a caller named, and `invoke`, which runs the handler.

    Awaiting `invoke` returns the one response, or writes the stream of responses and returns None.
    """

    method: str  # /service/method, known to exist
    grpc_type: str
    context: Context
    invoke: Callable[[], Awaitable[Any]]


class Refusal(grpc.RpcMethodHandler):  # type: ignore[type-arg] # generic in the stubs only
    """Stands for a method's handler and ends each call before its request is read; counted as that method's kind.

    It poses as a stream: gRPC reads the request of a unary method before it calls the handler, that of a stream later.
    """

    request_streaming = response_streaming = True
    request_deserializer = response_serializer = None
    unary_unary = unary_stream = stream_unary = None

    def __init__(self, refused: Handler | None, refuse: Callable[[Any, Context], Awaitable[None]]) -> None:
        self.kind = "unknown" if refused is None else kind(refused)
        self.stream_stream: Any = refuse


class Around(grpc.aio.ServerInterceptor):
    """Base of interceptors that run code around handlers of all four kinds."""

    async def intercept_service(self, continuation: Continue, handler_call_details: Details) -> Handler | None:
        """Wrap the handler; a method that the server lacks has none and is left to gRPC."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        return wrapped(handler, handler_call_details.method, self.around)

    @abstractmethod
    async def around(self, call: Call) -> Any:
        """Await `call.invoke` and return what it returns."""


class RequestIds(Around):
    """Takes the caller's request id where it is sound, else makes one; keeps it for log lines and sends it back."""

    async def around(self, call: Call) -> Any:
        """Set the id; the variable needs no reset, since each call has its own task and context."""
        sent = dict(call.context.invocation_metadata() or ()).get(REQUEST_ID_KEY, "")
        REQUEST_ID.set(sent if isinstance(sent, str) and _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex)
        call.context.set_trailing_metadata(((REQUEST_ID_KEY, REQUEST_ID.get()),))
        return await call.invoke()


class Deadlines(Around):
    """Keeps when the caller gives up, for those who decide whether to begin."""

    async def around(self, call: Call) -> Any:
        """Set the time; the variable needs no reset, since each call has its own task and context."""
        left = call.context.time_remaining()
        DEADLINE.set(None if left is None else time.monotonic() + left)
        return await call.invoke()


class CallMetrics(Around):
    """Counts and times calls and logs each; methods that do not exist are counted as `unknown`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def intercept_service(self, continuation: Continue, handler_call_details: Details) -> Handler | None:
        """As Around, and count the methods that do not exist, all under one name."""
        handler = await super().intercept_service(continuation, handler_call_details)
        if handler is None:
            self._metrics.started.labels("unknown", "unknown", "unknown").inc()
            self._metrics.handled.labels("unknown", "unknown", "unknown", "UNIMPLEMENTED").inc()
        return handler

    async def around(self, call: Call) -> Any:
        """Count the call, also where it is cancelled."""
        unknown = call.grpc_type == "unknown"  # refused, and the method's name may be any text of the caller's
        service, _, name = ("unknown/unknown" if unknown else call.method.lstrip("/")).rpartition("/")
        labels = (call.grpc_type, service, name)
        self._metrics.started.labels(*labels).inc()
        begin = time.perf_counter()
        code = "CANCELLED"  # unless the handler ends by itself
        try:
            answer = await call.invoke()
            code = code_of(call.context)
            return answer
        except grpc.aio.AbortError:
            code = code_of(call.context)
            raise
        finally:
            seconds = time.perf_counter() - begin
            self._metrics.handled.labels(*labels, code).inc()
            self._metrics.seconds.labels(*labels).observe(seconds)
            level = logging.DEBUG if service == _HEALTH else logging.INFO
            fields = {"grpc_service": service, "grpc_method": name, "grpc_code": code, "seconds": round(seconds, 6)}
            _log.log(level, "call ended", extra={"fields": fields})


class Errors(Around):
    """Answers exceptions; aborted and cancelled calls pass through."""

    async def around(self, call: Call) -> Any:
        """Turn an exception into the call's status."""
        try:
            return await call.invoke()
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 - the one place that answers all of a handler's errors
            return await abort(call.context, status_of(error))


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


def wrapped(handler: Handler, method: str, around: Callable[[Call], Awaitable[Any]]) -> Handler:
    """The handler with `around` around it, as a coroutine of the same kind.

    Streams are written here instead of yielded, so that a cancelled or failed write passes through `around` too.
    """
    attribute = (
        f"{'stream' if handler.request_streaming else 'unary'}_{'stream' if handler.response_streaming else 'unary'}"
    )
    inner = getattr(handler, attribute)
    if not (inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)):
        raise TypeError(f"expected an async handler, got {inner!r}")

    async def run(request: Any, context: Context) -> Any:
        async def invoke() -> Any:
            if not inspect.isasyncgenfunction(inner):
                return await inner(request, context)
            async with aclosing(inner(request, context)) as responses:
                async for response in responses:
                    await context.write(response)
            return None

        return await around(Call(method, kind(handler), context, invoke))

    make = getattr(grpc, f"{attribute}_rpc_method_handler")
    built: Handler = make(run, handler.request_deserializer, handler.response_serializer)
    return built


def kind(handler: Handler) -> str:
    """The handler's kind as go-grpc-prometheus names it."""
    if isinstance(handler, Refusal):
        return handler.kind
    if handler.request_streaming:
        return "bidi_stream" if handler.response_streaming else "client_stream"
    return "server_stream" if handler.response_streaming else "unary"


def code_of(context: Context) -> str:
    """Name of the code that the call has or will end with."""
    code: Any = context.code()  # from grpc.aio: a number, a StatusCode or None
    if isinstance(code, grpc.StatusCode):
        return code.name
    return _NAMES.get(code or 0, "UNKNOWN")
