"""A load on the generators from a Job in the cluster, and what became of its calls."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.cluster.job import start_job
from tests.e2e.cluster.proof import Proof
from tests.e2e.kubectl import kubectl, say, until

GATEWAY = "dns:///gateway:50051"
DIRECT = "dns:///generation:50051"  # as the pipeline calls it: round robin over the pods that the name resolves to


@dataclass(frozen=True)
class Call:
    """One call, with all its retries; begin, end: seconds by the caller's clock. error: "" where it succeeded."""

    begin: float
    end: float
    retries: int
    error: str
    key: str
    sha256: str


class Load:
    """A Job that calls without end."""

    def __init__(self, name: str) -> None:
        self._name = name

    def calls(self) -> list[Call]:
        """All calls until now, in the order in which they ended."""
        lines = kubectl("logs", f"job/{self._name}", quiet=True).splitlines()
        return [Call(**json.loads(line)) for line in lines if line.startswith("{") and line.endswith("}")]

    def succeeded(self) -> list[Call]:
        """Those without an error."""
        return [call for call in self.calls() if not call.error]

    def during(self, seconds: float) -> list[Call]:
        """The calls that end within the next seconds."""
        before = len(self.calls())
        time.sleep(seconds)
        return self.calls()[before:]


@contextmanager
def load(proof: Proof, name: str, endpoint: str, threads: int, side_px: int = 512) -> Iterator[Load]:
    """Keep as many calls in flight, each for an image of that side; yields once some have succeeded."""
    arguments = ["--endpoint", endpoint, "--threads", str(threads), "--side", str(side_px)]
    script = {"caller.py": (Path(__file__).parent / "caller.py").read_bytes()}
    start_job(name, proof.version, script, arguments, command=["/opt/venv/bin/python", "/files/caller.py"])
    kubectl("wait", "pod", "--selector", f"job-name={name}", "--for=condition=Ready", "--timeout=60s", quiet=True)
    found = Load(name)
    try:
        until(f"{threads} calls of {name} have succeeded", lambda: len(found.succeeded()) >= threads, 120)
        yield found
    finally:
        kubectl("delete", f"job/{name}", f"configmap/{name}", quiet=True)


def rate(calls: Sequence[Call]) -> float:
    """Images a second."""
    done = [call for call in calls if not call.error]
    if len(done) < 3:
        sys.exit(f"expected some calls to measure a rate by; {len(done)} succeeded")
    return (len(done) - 1) / (done[-1].end - done[0].end)


def tell(what: str, calls: Sequence[Call]) -> int:
    """Say what became of the calls; returns how many failed."""
    failed = [call for call in calls if call.error]
    again = sum(call.retries > 0 for call in calls)
    slowest = max((call.end - call.begin for call in calls), default=0)
    say(f"{what}: {len(calls)} calls, {len(failed)} failed, {again} tried again, the slowest took {slowest:.1f} s")
    for text in sorted({call.error for call in failed})[:5]:
        print(f"    {text}")
    return len(failed)
