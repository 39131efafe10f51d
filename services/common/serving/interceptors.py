"""What happens around every call: a request id, metrics and a log line, authentication, and the answer to errors."""

from __future__ import annotations

import inspect
import logging
import re
import time
import uuid
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
import grpc.aio
from biosynth.status import REQUEST_ID_KEY

from services.common.serving.deadline import DEADLINE
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
