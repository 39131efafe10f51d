"""A Prometheus beside a deployment's own, with the same rules made quick: what takes minutes takes seconds."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3
import yaml

from services.cli.composition import SERVICES
from tests.e2e.kubectl import run, say

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
# What windows and `for:` are divided by; thresholds are as they are.
FACTOR = 20
SCRAPE = "3s"
# These records are read once a minute, whatever the windows.
UNCHANGED = "BiosynthEvaluationUnreadable"
NAME = "biosynth-quick-prometheus"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class QuickPrometheus:
    """Its configuration lies in `folder`; it answers on this port of this machine."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port

    def configure(self, services: tuple[str, ...] = SERVICES) -> None:
        """Write which services it asks, and all generators, MinIO, a small one and stand-ins as far as DNS has them."""
        listed = [f"{service}:9464" for service in services if service != "generation"] + ["gateway:50052"]
        ours = _job("biosynth", ("generation",), 9464)
        ours["static_configs"] = [{"targets": listed}]
        ours["relabel_configs"] += [
            {"source_labels": ["__address__"], "regex": r"([a-z]+):\d+", "target_label": "service"}
        ]
        configuration = {
            "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": "2s"},
            "rule_files": ["rules/*.yaml"],
            "scrape_configs": [
                ours,
                {**_job("minio", ("minio", "minio-small"), 9000), "metrics_path": "/minio/v2/metrics/cluster"},
                _job("stand-in", ("stand-in",), 8000),
            ],
        }
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))

    def reconfigure(self, services: tuple[str, ...]) -> None:
        """As `configure`, while it runs."""
        self.configure(services)
        run("docker", "kill", "--signal", "HUP", NAME, quiet=True)

    def firing(self) -> set[tuple[str, str]]:
        """Name and severity of each alert that fires now."""
        found = self.ask('ALERTS{alertname=~"Biosynth.+", alertstate="firing"}')
        return {(series["metric"]["alertname"], series["metric"]["severity"]) for series in found}

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What it answers to a query now: series with `metric`, their labels, and `value`."""
        answer = urllib3.request("GET", f"http://127.0.0.1:{self._port}/api/v1/query", fields={"query": query}).json()
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            ready = urllib3.request("GET", f"http://127.0.0.1:{self._port}/-/ready", retries=False)
        except urllib3.exceptions.HTTPError:
            return False
        return ready.status == 200


def _job(name: str, hosts: tuple[str, ...], port: int) -> dict[str, Any]:
    return {
        "job_name": name,
        "dns_sd_configs": [{"names": list(hosts), "type": "A", "port": port, "refresh_interval": "5s"}],
        "relabel_configs": [{"source_labels": ["__meta_dns_name"], "target_label": "service"}],
    }


@contextmanager
def quick_prometheus(version: str, network: str, port: int = 19090) -> Iterator[QuickPrometheus]:
    """Start it in the deployment's network, on copies of the rules; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="biosynth-alerts-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the container has another user
        (folder / "rules").mkdir()
        for path in (MONITORING / "rules").glob("*.yaml"):
            (folder / "rules" / path.name).write_text(quick(path.read_text()))
        prometheus = QuickPrometheus(folder, port)
        prometheus.configure()
        run("docker", "run", "--detach", "--rm", "--name", NAME, "--network", network, "--publish",
            f"127.0.0.1:{port}:9090", "--volume", f"{folder}:/etc/prometheus:ro",
            f"biosynth/prometheus:{version}")  # fmt: skip
        try:
            while not prometheus.is_ready():
                time.sleep(1)
            say(f"a second Prometheus asks every {SCRAPE}; windows and `for:` are divided by {FACTOR}")
            yield prometheus
        finally:
            run("docker", "rm", "--force", NAME, quiet=True)


def quick(rules: str) -> str:
    """A rule file's text with shorter windows and `for:`, and nothing else changed."""
    read = yaml.safe_load(rules)
    for rule in (rule for group in read["groups"] for rule in group["rules"] if rule.get("alert") != UNCHANGED):
        rule["expr"] = re.sub(r"\[(\w+)\]", lambda found: f"[{_shorter(found[1])}]", rule["expr"])
        if "for" in rule:
            rule["for"] = _shorter(rule["for"])
    return yaml.safe_dump(read, sort_keys=False)


def _shorter(duration: str) -> str:
    return f"{int(duration[:-1]) * _UNITS[duration[-1]] // FACTOR}s"
