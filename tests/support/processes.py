"""Servers in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(module: Sequence[str], environment: Mapping[str, str]) -> Iterator[int]:
    """`python -m` these words, from its first word that it serves at BIOSYNTH_ADDRESS to its end; yields its pid."""
    command = [sys.executable, "-m", *module]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr is not None
        lines = []
        for line in server.stderr:
            lines.append(line)
            if '"serving"' in line and environment["BIOSYNTH_ADDRESS"] in line:
                break
        else:
            raise AssertionError("".join(lines))
        rest = threading.Thread(target=deque, args=(server.stderr, 0), daemon=True)  # a full pipe would stop the server
        rest.start()
        try:
            yield server.pid
        finally:
            server.terminate()
            server.wait(timeout=20)
            rest.join()


def resident(pid: int, peak: bool = False) -> int:
    """Bytes of memory that a process holds, or held at most."""
    name = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))
