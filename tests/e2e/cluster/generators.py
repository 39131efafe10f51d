"""How many generators there are, and how much each may compute."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.cluster.gpus import GPU, gpus_offered
from tests.e2e.kubectl import kubectl, pods

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


@dataclass(frozen=True)
class Work:
    """What a generator has done since its start, by its own metrics."""

    images: float
    cpu_s: float

    def since(self, before: Work) -> Work:
        """What was done between two looks."""
        return Work(self.images - before.images, self.cpu_s - before.cpu_s)


def work(names: Sequence[str]) -> dict[str, Work]:
    """What each of these pods has done until now."""
    return {name: _work(name) for name in names}


def _work(name: str) -> Work:
    path = f"/api/v1/namespaces/biosynth/pods/{name}:9464/proxy/metrics"
    families = text_string_to_metric_families(kubectl("get", "--raw", path, quiet=True))
    samples = [sample for family in families for sample in family.samples]
    wanted = {"grpc_method": "Generate", "grpc_code": "OK"}.items()
    return Work(
        images=sum(s.value for s in samples if s.name == "grpc_server_handled_total" and wanted <= s.labels.items()),
        cpu_s=sum(s.value for s in samples if s.name == "process_cpu_seconds_total"),
    )
