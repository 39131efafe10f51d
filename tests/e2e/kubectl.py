"""kubectl, and the transcript: every command is printed, since the transcript is the proof."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_BEGIN = time.monotonic()


def say(text: str) -> None:
    """A line of the transcript, with the seconds since its beginning."""
    print(f"[{time.monotonic() - _BEGIN:6.1f} s] {text}", flush=True)


def run(*command: str, quiet: bool = False, stdin: str | None = None) -> str:
    """The command's output, which is printed as well. Ends the proof where the command fails."""
    if not quiet:
        say(f"$ {shlex.join(command)}")
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}")
    if not quiet and done.stdout.strip():
        print(done.stdout.rstrip(), flush=True)
    return done.stdout


def kubectl(*arguments: str, quiet: bool = False, stdin: str | None = None) -> str:
    """kubectl in the namespace of the deployment."""
    return run("kubectl", "--namespace", "biosynth", *arguments, quiet=quiet, stdin=stdin)


def refused(*arguments: str) -> str:
    """What kubectl says of a command that the cluster refuses. Ends the proof where it does not refuse."""
    command = ["kubectl", "--namespace", "biosynth", *arguments]
    say(f"$ {shlex.join(command)}")
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.returncode:
        sys.exit(f"expected the cluster to refuse this; it said:\n{done.stdout}")
    return done.stderr


def objects(kind: str, *arguments: str) -> list[dict[str, Any]]:
    """Objects of the namespace as the API has them."""
    items: list[dict[str, Any]] = json.loads(kubectl("get", kind, *arguments, "--output", "json", quiet=True))["items"]
    return items


def until(what: str, is_so: Callable[[], Any], seconds: float = 180) -> Any:
    """Wait for `is_so()` to return something true, and return it; ends the proof where it stays false."""
    end = time.monotonic() + seconds
    while not (found := is_so()):
        if time.monotonic() > end:
            kubectl("get", "pods,events", "--sort-by=.metadata.creationTimestamp")
            sys.exit(f"expected within {seconds:.0f} s: {what}")
        time.sleep(1)
    say(f"so it is: {what}")
    return found


def pods(service: str) -> list[dict[str, Any]]:
    """The pods of a service, except those being deleted."""
    found = objects("pods", "--selector", f"app.kubernetes.io/name={service}")
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def events(pod: dict[str, Any]) -> list[str]:
    """What the cluster says of a pod."""
    name = pod["metadata"]["name"]
    return [str(event["message"]) for event in objects("events", "--field-selector", f"involvedObject.name={name}")]


@contextmanager
def forwarded(target: str, to: int, port: int | None = None) -> Iterator[str]:
    """An address on this machine that leads into the cluster. port: None: any free one."""
    # One address: where the port is in use on one of two, kubectl is content with the other.
    command = [
        "kubectl",
        "--namespace",
        "biosynth",
        "port-forward",
        "--address=127.0.0.1",
        target,
        f"{port or ''}:{to}",
    ]
    say(f"$ {shlex.join(command)} &")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout is not None else ""
            if not said.startswith("Forwarding from "):
                sys.exit(f"expected to reach {target} by port {port} of this machine; is the port in use?")
            yield said.split()[2]
        finally:
            process.terminate()
