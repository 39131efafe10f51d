"""What callers see while a service is frozen or the store stalls, and how soon all goes on afterwards."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from biosynth import BiosynthCallError, Client

from services.pipeline.reachability import CALLED
from tests.bench.table import counts, told
from tests.support.pictures import nuclei_picture
from tests.support.ports import free_ports
from tests.support.processes import serving
from tests.support.stalling import how_segment_ends, stalling_store
from tests.support.way import Way

STALL_S, QUICK_STALL_S = 30.0, 3.0
CALLERS, DEADLINE_S = 10, 3.0
MOST_NAMED_S, MOST_RECOVERY_S = 10.0, 5.0


def figures(quick: bool = False) -> list[dict[str, Any]]:
    """Name, value, target and whether it was met, of each figure; quick: a short stall, and nothing is judged."""
    rows = [_frozen(), *_stalled(QUICK_STALL_S if quick else STALL_S)]
    return [{**row, "met": None} for row in rows] if quick else rows


def _frozen() -> dict[str, Any]:
    """A Run whose generation service is stopped, and one after it goes on."""
    with _each_alone() as (client, pids):
        _how_run_ends(client, 0)  # all are connected, and the model is loaded
        with _stopped(pids["generation"]):
            ended, waited = _timed(partial(_how_run_ends, client, 1))
        then, recovery = _timed(partial(_how_run_ends, client, 2))
    return {
        "name": "a Run while generation is frozen (SIGSTOP)",
        "value": f"after {waited:.1f} s: {ended}; once it goes on, {then} in {recovery:.1f} s",
        "target": f"GenerationService is named within {MOST_NAMED_S:.0f} s, and then a Run is done",
        "met": "GenerationService" in ended and waited < MOST_NAMED_S and then == "done",
    }


def _stalled(seconds: float) -> list[dict[str, Any]]:
    """Segments over a store that stalls for so long, the first of which is stored there; and one after it goes on."""
    with _over_a_way() as (client, way):
        how_segment_ends(client, 0)
        way.hold()
        begin = time.perf_counter()
        with ThreadPoolExecutor(CALLERS) as callers:
            segments = [partial(how_segment_ends, client, seed, DEADLINE_S) for seed in range(CALLERS)]
            ended = list(callers.map(_timed, segments))
        time.sleep(max(0.0, begin + seconds - time.perf_counter()))
        way.let_go()
        then, recovery = _timed(partial(how_segment_ends, client, CALLERS))
    longest = max(waited for _, waited in ended)
    return [
        {
            "name": f"{CALLERS} Segments with {DEADLINE_S:.0f} s while the store stalls for {seconds:.0f} s",
            "value": f"{counts(word for word, _ in ended)}; the longest took {longest:.2f} s",
            "target": f"within {DEADLINE_S + 1:.0f} s",
            "met": longest < DEADLINE_S + 1,
        },
        {
            "name": f"a new Segment once a store goes on that stalled for {seconds:.0f} s",
            "value": f"{then} after {recovery:.2f} s",
            "target": f"computed within {MOST_RECOVERY_S:.0f} s",
            "met": then == "computed" and recovery < MOST_RECOVERY_S,
        },
    ]


@contextmanager
def _each_alone() -> Iterator[tuple[Client, dict[str, int]]]:
    """A client of a pipeline, and the pids of the services that it calls; each is a process, as deployed."""
    names = (*CALLED, "pipeline")
    addresses = {name: f"127.0.0.1:{port}" for name, port in zip(names, free_ports(len(names)), strict=True)}
    endpoints = {f"BIOSYNTH_{name.upper()}_ENDPOINT": addresses[name] for name in CALLED}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as started:
        environment = {**os.environ, **endpoints, "BIOSYNTH_STORE": "folder", "BIOSYNTH_STORE_PATH": folder}
        pids = {
            name: started.enter_context(serving([f"services.{name}"], {**environment, "BIOSYNTH_ADDRESS": address}))
            for name, address in addresses.items()
        }
        yield started.enter_context(Client(addresses["pipeline"], timeout_s=60, retries=0)), pids


@contextmanager
def _over_a_way() -> Iterator[tuple[Client, Way]]:
    """A client of all services in one process over an S3 store, and the way to the store."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, stalling_store(Path(folder)) as (store, way):
        environment = {**os.environ, **store.settings, "BIOSYNTH_ADDRESS": address}
        with serving(["services.cli", "serve"], environment), Client(address, retries=0) as client:
            yield client, way


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _how_run_ends(client: Client, seed: int) -> str:
    try:
        client.run(image=nuclei_picture(), seed=seed)
    except BiosynthCallError as error:
        return str(error)
    return "done"


def _timed(call: Callable[[], str]) -> tuple[str, float]:
    """What a call returns, and how many seconds it takes."""
    begin = time.perf_counter()
    return call(), time.perf_counter() - begin


if __name__ == "__main__":
    for row in figures("--quick" in sys.argv):
        print(told(row))
