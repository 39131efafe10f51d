"""What happens around every call: a request id, metrics and a log line, authentication, and the answer to errors."""

from __future__ import annotations

import inspect
import logging
import random
import re
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import grpc
import grpc.aio
from biosynth.status import REQUEST_ID_KEY

from services.common.serving.deadline import DEADLINE, seconds_left
from services.common.serving.logs import REQUEST_ID
from services.common.serving.metrics import Metrics, type_of
from services.common.serving.status import REASON, abort, status_of
from services.common.steps import WATCHERS

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the stubs only
Details: TypeAlias = grpc.HandlerCallDetails
Continue: TypeAlias = "Callable[[Details], Awaitable[Handler | None]]"

_HEALTH = "grpc.health.v1.Health"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# A caller who gives up at his deadline tells so as gRPC measures it.
_EXPIRED_SECONDS = 0.1
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
        REQUEST_ID.set(
            sent if isinstance(sent, str) and _REQUEST_ID.fullmatch(sent) else f"{random.getrandbits(128):032x}"
        )
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
    """Counts, times and logs calls, and has their steps timed; methods that do not exist are called `unknown`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def intercept_service(self, continuation: Continue, handler_call_details: Details) -> Handler | None:
        """As Around, and count the call already now: gRPC ends those whose message is far too large by itself."""
        handler = await super().intercept_service(continuation, handler_call_details)
        if handler is not None:
            grpc_type = kind(handler)
            self._metrics.started.labels(grpc_type, *names(grpc_type, handler_call_details.method)).inc()
        return handler

    async def around(self, call: Call) -> Any:
        """Count the call, also where it is cancelled."""
        WATCHERS.set((*WATCHERS.get(), self._metrics.step))  # no reset: each call has its own task and context
        in_flight = self._metrics.calls_in_flight.labels(*names(call.grpc_type, call.method))
        with in_flight.track_inprogress():
            return await observed(call, partial(self._ended, call, time.perf_counter()))

    def _ended(self, call: Call, begin: float, code: str) -> None:
        seconds = time.perf_counter() - begin
        service, name = names(call.grpc_type, call.method)
        self._metrics.handled.labels(call.grpc_type, service, name, code).inc()
        self._metrics.seconds.labels(call.grpc_type, service, name).observe(seconds)
        fields = {"grpc_service": service, "grpc_method": name, "grpc_code": code, "seconds": round(seconds, 6)}
        if code != "OK":
            fields["reason"] = reason_of(code)
            self._metrics.failed.labels(service, name, fields["reason"]).inc()
        level = logging.DEBUG if service == _HEALTH else logging.INFO
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

    if isinstance(handler, Refusal):
        return Refusal(handler, run)
    make = getattr(grpc, f"{attribute}_rpc_method_handler")
    built: Handler = make(run, handler.request_deserializer, handler.response_serializer)
    return built


def kind(handler: Handler) -> str:
    """The handler's kind as go-grpc-prometheus names it, or `unknown`."""
    if isinstance(handler, Refusal):
        return handler.kind
    return type_of(handler.request_streaming, handler.response_streaming)


def names(grpc_type: str, method: str) -> tuple[str, str]:
    """Service and method, of /service/method; both `unknown` where that may be any text of a caller's."""
    service, _, name = ("unknown/unknown" if grpc_type == "unknown" else method.lstrip("/")).rpartition("/")
    return service, name


async def observed(call: Call, ended: Callable[[str], None]) -> Any:
    """Await the call; `ended` is told the name of the code with which it ends, also where it is cancelled."""
    code = "CANCELLED"  # unless the handler ends by itself
    try:
        answer = await call.invoke()
        code = code_of(call.context)
        return answer
    except grpc.aio.AbortError:
        code = code_of(call.context)
        raise
    finally:
        ended(code)


def reason_of(code: str) -> str:
    """Why the call of this task ended with this code, in one word."""
    left = seconds_left()
    if code == "CANCELLED" and left is not None and left < _EXPIRED_SECONDS:
        return "EXPIRED"
    return REASON.get() or code


def code_of(context: Context) -> str:
    """Name of the code that the call has or will end with."""
    code: Any = context.code()  # from grpc.aio: a number, a StatusCode or None
    if isinstance(code, grpc.StatusCode):
        return code.name
    return _NAMES.get(code or 0, "UNKNOWN")
