"""What every service works with, and the start of a service's process."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias, TypeVar

import cv2

from services.common.engines.cores import usable_cores
from services.common.errors import BiosynthError, ImageTooLarge
from services.common.imaging.images import ImageLimits
from services.common.serving.build_info import installed
from services.common.serving.computing import Computing
from services.common.serving.config import ServerConfig
from services.common.serving.flights import Flights
from services.common.serving.job import Job
from services.common.serving.load_metrics import LoadMetrics
from services.common.serving.logs import configure_logs
from services.common.serving.memory import for_computations, server_memory
from services.common.serving.metrics import Metrics
from services.common.serving.server import Service, serve_until_signalled
from services.common.serving.waiting import wait_until
from services.common.serving.workers import Workers
from services.common.storage.config import StoreConfig
from services.common.storage.results import Results, Stored
from services.common.storage.store import Store
from services.common.storage.stores import open_store

# Libraries that compute pixels. Another version may give other bytes, so versions are in a result's identity.
COMPUTING = ("numpy", "onnxruntime", "opencv-python-headless", "scikit-image", "scikit-learn", "scipy", "tifffile")
# For waiting on the store mostly; what is read stays small, since pixels are decoded where they are computed with.
IO_THREADS = 16
_SWITCH_SECONDS = 0.0005
R = TypeVar("R")


@dataclass(frozen=True)
class Runtime:
    """The store, what was computed before, threads, metrics, and the limits on what comes in.

    workers: threads for what blocks but computes little: files, the store. computing: threads for the rest.
    start_wait_seconds: how long a start may wait for objects that others put into the store.
    """

    store: Store
    results: Results
    workers: Workers
    computing: Computing
    load: LoadMetrics
    limits: ImageLimits = field(default_factory=ImageLimits)
    metrics: Metrics = field(default_factory=Metrics)
    start_wait_seconds: float = 0.0
    flights: Flights = field(default_factory=Flights)

    async def answer(self, prepare: Callable[[], Job[R]]) -> R:
        """The reply of a job, whose result is found in the store or computed.

        prepare: blocking; it checks the request and reads what the identity needs. What is stored is answered however
        many computations wait; calls for one result at once share one computation. Raises what the job's parts raise,
        and Overloaded where the result could not be there in time.
        """
        job, stored = await self.workers.run(self._begun, prepare)
        if stored is None:
            compute = partial(self._computed, job)
            key = self.results.folder(job.operation, job.identity)
            try:
                stored = await self.flights.join(
                    key, lambda: self.computing.run(job.operation, job.pixels, compute, job.memory)
                )
            except ImageTooLarge as error:  # for the memory; where it is for a file, its field is named
                error.field = error.field or job.field
                raise
        self.load.results.labels(job.operation, "stored" if stored.cached else "computed").inc()
        # What is there is told: as many as wait for one result may come at once, and calls are counted before.
        return await self.workers.call(partial(job.reply, stored), always=True)

    def _computed(self, job: Job[R]) -> Stored:
        begin = time.perf_counter()
        stored = self.results.once(job.operation, job.identity, job.compute)
        if not stored.cached:  # else another process was first
            self.load.seconds.labels(job.operation).observe(time.perf_counter() - begin)
        return stored

    def _begun(self, prepare: Callable[[], Job[R]]) -> tuple[Job[R], Stored | None]:
        job = prepare()
        return job, self.results.find(job.operation, job.identity)


@contextmanager
def opened(store: Store, threads: int, memory: int = sys.maxsize, start_wait_seconds: float = 0.0) -> Iterator[Runtime]:
    """A runtime on this store, with that many computing threads, and so many bytes for what they compute."""
    with Workers(IO_THREADS, name="io") as workers, Workers(threads, name="computing") as computing:
        metrics = Metrics()
        load = LoadMetrics(metrics.registry)
        yield Runtime(
            store, Results(store, computed_with()), workers, Computing(computing, load, memory), load, metrics=metrics,
            start_wait_seconds=start_wait_seconds,
        )  # fmt: skip


# Builds services; entered on the server's event loop.
Start: TypeAlias = Callable[[Runtime], AbstractAsyncContextManager[Sequence[Service]]]


def computed_with() -> dict[str, str]:
    """Versions of the libraries that results depend on, as far as they are installed here."""
    return installed(COMPUTING)


def serve(env: Mapping[str, str], start: Start) -> None:
    """Run a process of these services until it is signalled; a wrong setting ends it at once, in one plain line.

    `start` is entered on the server's event loop, so that it may open channels to other services.
    """
    # Until the server sets its own handler: the kernel ignores SIGTERM for a container's first process without one.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        run_server(env, start)
    except BiosynthError as error:
        sys.exit(f"cannot start: {error.message}")


def run_server(env: Mapping[str, str], start: Start) -> None:
    """As `serve`, for callers who handle errors themselves. Raises ConfigError or StoreUnavailable before serving."""
    config = ServerConfig.from_env(env)
    configure_logs(config.log_level, sys.stderr)
    # The event loop would wait 5 ms for each computing thread that is in Python's own code, several times a call.
    sys.setswitchinterval(_SWITCH_SECONDS)
    cv2.setNumThreads(usable_cores())  # by default one for each core of the machine, whatever the quota
    store = open_store(StoreConfig.from_env(env))
    wait_until(store.check, config.start_wait_seconds)
    memory = for_computations(config.memory_bytes or server_memory(), config.max_in_flight_bytes)
    with opened(store, config.worker_threads, memory, config.start_wait_seconds) as runtime:
        asyncio.run(_serve(config, runtime, start(runtime)))


async def _serve(
    config: ServerConfig, runtime: Runtime, services: AbstractAsyncContextManager[Sequence[Service]]
) -> None:
    async with services as entered:
        await serve_until_signalled(config, entered, runtime.metrics, runtime.computing.drain)


@asynccontextmanager
async def alone(service: Service) -> AsyncIterator[Sequence[Service]]:
    """The service, which needs nothing opened or closed, as a `Start` yields it."""
    yield [service]
