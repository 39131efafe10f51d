"""Servers in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager


@contextmanager
def serving(module: Sequence[str], environment: Mapping[str, str]) -> Iterator[None]:
    """`python -m` these words, from its first word that it serves at BIOSYNTH_ADDRESS to its end."""
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
        try:
            yield
        finally:
            server.terminate()
            server.communicate(timeout=20)
