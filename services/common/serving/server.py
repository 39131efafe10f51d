"""Start-up and end of a gRPC server: interceptors, health, reflection, metrics, and a drain that loses no call."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc.aio
from biosynth.contract import REPLY_BYTES
from grpc_health.v1 import health_pb2_grpc

from services.common.serving.auth import HEALTH, BearerToken
from services.common.serving.config import ServerConfig
from services.common.serving.crowding import MOST_STREAMS, Crowding
from services.common.serving.health import Health
from services.common.serving.in_flight import InFlight
from services.common.serving.interceptors import CallMetrics, Deadlines, Errors, RequestIds
from services.common.serving.listening import bind, host
from services.common.serving.metrics import Metrics
from services.common.serving.reflection import add_reflection
from services.common.serving.requests import HARD_LIMIT, Requests
from services.common.serving.traces import Traces, traced

_LAST_SECONDS = 1.0
_UNCOMPRESSED = 1 << 0  # bits by GRPC_COMPRESS_NONE, GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP
_log = logging.getLogger(__name__)


# What every method of a servicer is given beside the request.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


@dataclass(frozen=True)
class Service:
    """A gRPC service: its full name, such as biosynth.v1.SegmentationService, and what adds it to a server.

    follow: yields whether its calls can be answered, at once and with each change; None: always.
    """

    name: str
    add: Callable[[grpc.aio.Server], None]
    follow: Callable[[], AsyncIterator[bool]] | None = None


@dataclass(frozen=True)
class Running:
    """A server that accepts calls. metrics_port, health_address (health without TLS): None where not served."""

    address: str
    metrics_port: int | None
    health_address: str | None
    health: Health
    ended: asyncio.Future[Any]  # done once a server has ended by itself, which none should


@asynccontextmanager
async def running(
    config: ServerConfig,
    services: Sequence[Service],
    metrics: Metrics | None = None,
    refuse_late: Callable[[float], None] = lambda _seconds: None,
) -> AsyncIterator[Running]:
    """Serve while the context is open; then say NOT_SERVING, refuse new calls and let those in flight end.

    refuse_late: told how many seconds are left when the end begins; to refuse calls that would not be done by then.
    Those that last longer than `config.drain_seconds` all the same are cancelled. Raises ConfigError where the address,
    a certificate or the token's file cannot be used.
    """
    metrics = metrics or Metrics()
    health = Health()
    names = [service.name for service in services]
    async with AsyncExitStack() as stack:
        traces = stack.enter_context(traced(config.otlp_endpoint, names))
        server = grpc.aio.server(interceptors=_interceptors(config, metrics, traces), options=_options(config))
        for service in services:
            service.add(server)
            metrics.show_from_zero(service.name)
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        if config.reflection:
            add_reflection(server, [*names, "grpc.health.v1.Health"])
        address = bind(server, config)
        port = config.metrics_port
        if port is not None:
            port = stack.enter_context(metrics.exported(host(config.address).strip("[]"), port))
        for service in services:
            await stack.enter_async_context(health.following(service.name, service.follow))
        servers, health_address = [server], config.health_address
        if health_address is not None:
            aside, health_address = await stack.enter_async_context(_plaintext_health(health_address, health))
            servers.append(aside)
        await server.start()
        stack.push_async_callback(_drain, server, health, config.drain_seconds, refuse_late)
        _log.info("serving", extra={"fields": {"address": address, "metrics_port": port}})
        ended = asyncio.ensure_future(_first_end(*servers))
        stack.callback(ended.cancel)
        yield Running(address, port, health_address, health, ended)


async def serve_until_signalled(
    config: ServerConfig,
    services: Sequence[Service],
    metrics: Metrics | None = None,
    refuse_late: Callable[[float], None] = lambda _seconds: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain as `running` does.

    A second signal ends the process at once, unless it is process 1.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        async with running(config, services, metrics, refuse_late) as server:
            await _stopped(stop, server.ended)
            for number in signals:
                loop.remove_signal_handler(number)
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _plaintext_health(address: str, health: Health) -> AsyncIterator[tuple[grpc.aio.Server, str]]:
    """The same health on a port of its own, for probes that speak no TLS; answers until the drain ends.

    Yields the server, and the address with the port that it got.
    """
    server = grpc.aio.server(options=_PROBE_OPTIONS)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    bound = bind(server, ServerConfig(address=address), "BIOSYNTH_HEALTH_ADDRESS")
    await server.start()
    try:
        yield server, bound
    finally:
        await server.stop(0.2)


async def _stopped(stop: asyncio.Event, ended: asyncio.Future[Any]) -> None:
    """Return once told to stop. Raises where a server ended by itself, so that the process ends with it."""
    told = asyncio.ensure_future(stop.wait())
    await asyncio.wait({told, ended}, return_when=asyncio.FIRST_COMPLETED)
    if not told.done():
        told.cancel()
        ended.result()
        raise RuntimeError("the gRPC server has ended by itself")


async def _first_end(*servers: grpc.aio.Server) -> None:
    """Return, or raise what ended it, once one of these servers has ended."""
    # These waits are not cancelled with this task: they end with the drain.
    ends = [asyncio.ensure_future(server.wait_for_termination()) for server in servers]
    done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in done:
        end.result()


async def _drain(server: grpc.aio.Server, health: Health, seconds: float, refuse_late: Callable[[float], None]) -> None:
    _log.info("draining", extra={"fields": {"at_most_seconds": seconds}})
    await health.drain()
    refuse_late(seconds)
    stopped = asyncio.ensure_future(server.stop(seconds))
    # What is not done shortly before the end is refused by us, with the time to ask again, and not cut off by gRPC.
    await asyncio.wait({stopped}, timeout=seconds - min(_LAST_SECONDS, seconds / 2))
    if not stopped.done():
        refuse_late(0)
    await stopped
    _log.info("stopped")


def _interceptors(config: ServerConfig, metrics: Metrics, traces: list[Traces]) -> list[grpc.aio.ServerInterceptor]:
    """Outermost first: refused and failed calls are counted and logged as well, all under their request id."""
    # Where health has its own port, it needs a token here: else anybody could fill memory with requests of full size.
    exempt = () if config.health_address else (HEALTH,)
    token = [BearerToken(config.token_file, exempt)] if config.token_file else []
    for interceptor in token:
        metrics.expiry.token("server", interceptor.end)
    if config.tls is not None:
        metrics.expiry.certificate("server", config.tls.certificate.read_bytes)
    return [
        RequestIds(),
        CallMetrics(metrics),
        *traces,
        *token,
        Errors(),
        Deadlines(),
        Crowding(),
        Requests(InFlight(config.max_in_flight_bytes, metrics.bytes_in_flight), config.max_message_bytes),
    ]


# For a few probes, whose requests have a few dozen bytes; the limits keep others from taking memory.
_PROBE_OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 1024),
    ("grpc.max_concurrent_streams", 64),
]


def _options(config: ServerConfig) -> list[tuple[str, int]]:
    options = [
        ("grpc.max_receive_message_length", round(HARD_LIMIT * config.max_message_bytes)),
        ("grpc.max_send_message_length", REPLY_BYTES),
        # Images and rasters are compressed already, and 34 MiB of zeros, sent as 34 KiB, would be inflated uncounted.
        ("grpc.compression_enabled_algorithms_bitset", _UNCOMPRESSED),
        ("grpc.max_concurrent_streams", MOST_STREAMS),  # of one connection
        ("grpc.so_reuseport", 0),  # else a second server on the same port is no error
        ("grpc.keepalive_time_ms", 60_000),  # finds callers that vanished
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 20_000),  # the SDK pings while it waits for a long call
    ]
    if config.connection_age_seconds:
        # Without a grace: calls in flight go on to their end, however long, while new ones take a new connection.
        options.append(("grpc.max_connection_age_ms", round(config.connection_age_seconds * 1000)))
    return options
