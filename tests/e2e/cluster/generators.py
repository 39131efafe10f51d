"""How many generators there are, and how much each may compute."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.cluster.gpus import GPU, gpus_offered
from tests.e2e.cluster.kubectl import kubectl, pods

# Of a CPU, for each generator: so little that two of them, and what they call, are no match for a node of two cores.
QUOTA = "400m"


def set_generators(count: int) -> None:
    """As many replicas, each with the quota; returns when all are ready and no other is left."""
    if gpus_offered() < count:
        sys.exit(f"expected nodes with {count} {GPU} for as many generators; they offer {gpus_offered()}")
    kubectl("set", "resources", "deployment/generation", "--containers=service", f"--limits=cpu={QUOTA}", quiet=True)
    kubectl("scale", "deployment/generation", f"--replicas={count}")
    generators_are_ready()
    kubectl("wait", "pod", "--selector", "app.kubernetes.io/name=generation", "--for=condition=Ready", "--timeout=90s")


def generators_are_ready() -> None:
    """Wait for the rollout of the generators."""
    kubectl("rollout", "status", "deployment/generation", "--timeout=300s", quiet=True)


def generator_names() -> list[str]:
    """The pods, by name."""
    return sorted(str(pod["metadata"]["name"]) for pod in pods("generation"))


def ready_generators() -> list[str]:
    """Those that are ready, by name."""
    ready = {"type": "Ready", "status": "True"}
    return [
        str(pod["metadata"]["name"])
        for pod in pods("generation")
        if any(ready.items() <= condition.items() for condition in pod["status"].get("conditions", []))
    ]


def answered(names: Sequence[str]) -> dict[str, float]:
    """How many images each of these pods has made, by its own metrics."""
    return {name: _answered(name) for name in names}


def _answered(name: str) -> float:
    path = f"/api/v1/namespaces/biosynth/pods/{name}:9464/proxy/metrics"
    families = text_string_to_metric_families(kubectl("get", "--raw", path, quiet=True))
    wanted = {"grpc_method": "Generate", "grpc_code": "OK"}
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "grpc_server_handled_total" and wanted.items() <= sample.labels.items()
    )
