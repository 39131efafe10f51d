"""What kube-score, a judge of manifests, says of the overlays, with a reason for each finding that stays."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.combinations import combined, options_of
from tests.deploy.rendering import Object, overlay

KUBERNETES = "v1.30"  # the oldest that docs/deploy.md names
# A check, what it is said of (the end of an object's name; empty: of any), and why that stays.
EVERYWHERE = {
    "container-image-pull-policy": ("", "production's images are named by digest, and a node has the local ones only"),
    "deployment-has-host-podantiaffinity": ("", "topology spread constraints do that, and leave no pod pending"),
    "statefulset-has-host-podantiaffinity": ("/minio", "the component's MinIO is one pod"),
    "statefulset-has-poddisruptionbudget": ("/minio", "the same"),
    "pod-probes-identical": ("/gateway", "nginx has one page, and no state that it could lose"),
}
LOCAL = EVERYWHERE | {
    "deployment-replicas": ("", "one of each, to fit a node of two cores"),
    "deployment-has-poddisruptionbudget": ("", "the same"),
    "pod-networkpolicy": ("", "policies are of the component `network`, in production"),
    "container-security-context-user-group-id": ("/prepare-volume", "it gives a folder of the node to MinIO's user"),
}
EGRESS = ("", "what goes out is not limited: the README of `network` says so")
PRODUCTION = EVERYWHERE | {
    "deployment-replicas": ("/generation", "as many pods as there are free GPUs"),
    "pod-networkpolicy": EGRESS,
    "networkpolicy-targets-pod": ("/store", "it is for MinIO, where its component is"),
}
WHOLE = EVERYWHERE | {
    "pod-networkpolicy": EGRESS,
    "container-image-tag": ("", "who adds MinIO or a training to production names their images"),
    "horizontalpodautoscaler-replicas": ("/generation", "one warm generator is the least that is paid for"),
}


def everything(folder: Path) -> list[Object]:
    """Production with every option; of two autoscalers the one that kube-score knows."""
    left_out = ("autoscaling-keda", "gateway-api")
    return combined("production", [option for option in options_of("production") if option not in left_out], folder)


@pytest.mark.parametrize("name", ["local", "production", "production with every option"])
def test_every_finding_has_a_reason_and_every_reason_a_finding(name: str, tmp_path: Path) -> None:
    reasons = {"local": LOCAL, "production": PRODUCTION}.get(name, WHOLE)
    found = findings(overlay(name) if name in ("local", "production") else everything(tmp_path))
    unexplained = [
        f"{check}: {one}"
        for check, names in found.items()
        for one in names
        if check not in reasons or not one.endswith(reasons[check][0])
    ]
    assert unexplained == []
    stale = reasons.keys() - found.keys() - EVERYWHERE.keys()
    assert not stale, f"reasons without a finding: {stale}"


def findings(objects: list[Object]) -> dict[str, list[str]]:
    """Objects with something to say against, by the check that says it."""
    if (binary := shutil.which("kube-score")) is None:
        pytest.skip("kube-score is not here: make test builds it where Go is")
    command = [binary, "score", "--kubernetes-version", KUBERNETES, "--output-format", "json", "-"]
    done = subprocess.run(command, input=yaml.safe_dump_all(objects), capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr  # 1: it has found something
    found: dict[str, list[str]] = {}
    for one in json.loads(done.stdout):
        for check in one["checks"]:
            if not check["skipped"] and check["grade"] < 10:
                found.setdefault(check["check"]["id"], []).append(one["object_name"])
    return found


def test_a_finding_is_found() -> None:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    found = findings([{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec}])
    assert {"container-resources", "container-security-context-readonlyrootfilesystem"} <= found.keys()
