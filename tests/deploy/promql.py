"""Rules and queries as tests read them, and promtool."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.rendering import DEPLOY

MONITORING = DEPLOY / "monitoring"
RULES = sorted((MONITORING / "rules").glob("*.yaml"))
# Of others: Prometheus itself, MinIO, NVIDIA's exporter, kube-state-metrics.
FOREIGN = {
    "up",
    "minio_cluster_capacity_usable_free_bytes",
    "minio_cluster_capacity_usable_total_bytes",
    "DCGM_FI_DEV_GPU_UTIL",
    "kube_deployment_status_replicas_available",
}
_NO_METRICS = (
    r'"[^"]*"',
    r"\{[^}]*\}",
    r"\[[^\]]*\]",
    r"\b(?:by|without|on|ignoring|group_left|group_right) ?\([^)]*\)",
    r"\b(?:and|or|unless|bool|offset)\b",
    r"[a-z_]\w* *\(",  # a function or an aggregation
    r"\b\d[\w.]*",
)


def rules() -> list[dict[str, Any]]:
    """Every rule of every file, alerts and recordings."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def metrics_of(expression: str) -> set[str]:
    """Names of the series that a query reads."""
    for pattern in _NO_METRICS:
        expression = re.sub(pattern, lambda found: "(" if found[0].endswith("(") else " ", expression)
    return set(re.findall(r"[A-Za-z_:][\w:]*", expression))


def promtool(*arguments: str, folder: Path) -> str:
    """What promtool says; fails the test where it finds a fault. Skips it where there is no promtool."""
    if shutil.which("promtool") is None:
        pytest.skip("no promtool here (Debian's package prometheus has it): rules and queries cannot be checked")
    done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
