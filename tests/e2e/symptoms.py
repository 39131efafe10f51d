"""What goes wrong in a deployment by compose, done on purpose and undone; each is a context to be in."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from biosynth import BiosynthCallError, Client

from tests.e2e.deployment import Deployment
from tests.e2e.kubectl import run
from tests.e2e.quick_prometheus import QuickPrometheus
from tests.support.pictures import nuclei_picture

_seeds = itertools.count(int(time.time()))  # each picture is new, else its result would be found


def container(service: str) -> str:
    """The name that compose gives the service's first container."""
    return f"biosynth-{service}-1"


@contextmanager
def stopped(service: str) -> Iterator[None]:
    """The service's container does not run."""
    run("docker", "stop", "--time", "5", container(service), quiet=True)
    try:
        yield
    finally:
        run("docker", "start", container(service), quiet=True)


@contextmanager
def slowed(service: str, cpus: str) -> Iterator[None]:
    """The service's container has only so much of a core; afterwards all of the machine, as before."""
    name = container(service)
    run("docker", "update", "--cpus", cpus, name, quiet=True)
    try:
        yield
    finally:
        run("docker", "update", "--cpus", str(os.cpu_count()), name, quiet=True)


@contextmanager
def calls(deployment: Deployment, call: Callable[[Client], object], at_once: int, timeout_s: float) -> Iterator[None]:
    """So many callers, each of whom asks again once he is answered, whatever the answer."""
    ended = threading.Event()

    def ask() -> None:
        with deployment.client(timeout_s=timeout_s) as client:
            while not ended.is_set():
                with suppress(BiosynthCallError):
                    call(client)
                ended.wait(0.2)

    callers = [threading.Thread(target=ask, daemon=True) for _ in range(at_once)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        ended.set()


def segment(client: Client) -> object:
    """A new picture's nuclei."""
    return client.segment(nuclei_picture(512, 512, 60, seed=next(_seeds)))


def segment_large(client: Client) -> object:
    """The same of 9 megapixels."""
    return client.segment(nuclei_picture(3000, 3000, 1500, seed=next(_seeds)))


def generate(client: Client) -> object:
    """A new image of a reference of the schema nuclei3."""
    reference = np.zeros((512, 512), np.uint8)
    cv2.circle(reference, (256, 256), 90, 1, -1)
    return client.generate(reference, model="fluo-nuclei", seed=next(_seeds) % 2**31)


@contextmanager
def replaced(path: Path, text: str) -> Iterator[None]:
    """The file holds this instead; written in place, since containers have the folder mounted."""
    former = path.read_text()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(former)


def soon_ending_certificate(secrets: Path) -> str:
    """The deployment's own certificate, signed anew by its test CA for one day."""
    tls = secrets / "tls"
    request = run("openssl", "x509", "-x509toreq", "-in", str(tls / "tls.crt"), "-signkey", str(tls / "tls.key"),
                  "-copy_extensions", "copyall", quiet=True)  # fmt: skip
    return run("openssl", "x509", "-req", "-CA", str(tls / "ca.crt"), "-CAkey", str(secrets / "ca" / "ca.key"), "-days",
               "1", "-copy_extensions", "copyall", quiet=True, stdin=request)  # fmt: skip


def soon_ending_token(secrets: Path) -> str:
    """The deployment's token, which ends in half a day."""
    end = datetime.now(UTC) + timedelta(hours=12)
    return f"{(secrets / 'token' / 'token').read_text().split()[0]} {end.isoformat(timespec='seconds')}\n"


@contextmanager
def restarted(prometheus: QuickPrometheus, service: str, times: int) -> Iterator[None]:
    """The service has started anew several times, and Prometheus has seen each."""
    query = f'process_start_time_seconds{{service="{service}"}} and up{{service="{service}"}} == 1'
    seen: list[str] = []
    while len(seen) <= times:
        now = [series["value"][1] for series in prometheus.ask(query)]
        if now and now[0] not in seen:
            seen += now
            if len(seen) <= times:
                run("docker", "restart", "--time", "0", container(service), quiet=True)
        time.sleep(0.5)
    yield
