"""A server in a process of its own, as `biosynth serve` starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

SERVE = ("-m", "services.cli", "serve")


@contextmanager
def server(command: Sequence[str] = SERVE, **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """All services on two threads, over a new folder; yields process and address."""
    with tempfile.TemporaryDirectory(prefix="biosynth-bench-", dir="/tmp") as folder:
        address = f"unix:{folder}/s"
        store = str(Path(folder) / "store")
        env = {**os.environ, "BIOSYNTH_STORE_PATH": store, "BIOSYNTH_WORKER_THREADS": "2", **settings}
        words = [sys.executable, *command, "--address", address]
        with subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL) as process:
            try:
                yield process, address
            finally:
                process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(40)
                process.kill()
