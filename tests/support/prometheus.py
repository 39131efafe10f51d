"""A real Prometheus for tests, on loopback, that scrapes once a second."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.support.ports import free_ports


@dataclass(frozen=True)
class Prometheus:
    """A running server."""

    address: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query, each with `metric` (labels) and `value` (time, text)."""
        answer = urllib3.request("GET", f"{self.address}/api/v1/query", fields={"query": expression}).json()
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def value(self, expression: str) -> float:
        """The value of a query that has one sample, as KEDA wants it."""
        (sample,) = self.query(expression)
        return float(sample["value"][1])


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, Mapping[str, str]]) -> Iterator[Prometheus]:
    """A server that scrapes these host:port, each with its labels. Skips the test where no `prometheus` is here."""
    if (binary := shutil.which("prometheus")) is None:
        pytest.skip("prometheus is not here: no query can be run (Debian has it as a package)")
    static = [{"targets": [address], "labels": labels} for address, labels in targets.items()]
    settings = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{"job_name": "biosynth", "static_configs": static}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(settings))  # YAML as well
    [port] = free_ports(1)
    command = [
        binary, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            _wait(f"http://127.0.0.1:{port}", process)
            yield Prometheus(f"http://127.0.0.1:{port}")
        finally:
            process.kill()


def _wait(address: str, process: subprocess.Popen[str], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        try:
            if urllib3.request("GET", f"{address}/-/ready", retries=False, timeout=1).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.1)
    raise AssertionError(f"expected Prometheus to start: {process.communicate()[1] if process.poll() else 'no answer'}")
