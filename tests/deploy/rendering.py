"""Renders the manifests as `kubectl apply -k` would, and picks things out of them."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
K8S = DEPLOY / "k8s"
SERVICES = ("evaluation", "generation", "pipeline", "reference", "segmentation")
OVERLAYS = ("local", "production")

Object: TypeAlias = dict[str, Any]


@functools.cache
def render(folder: Path) -> list[Object]:
    """The objects of a kustomization. Skips the test where nothing can render it."""
    if shutil.which("kubectl"):
        command = ["kubectl", "kustomize"]
    elif shutil.which("kustomize"):
        command = ["kustomize", "build"]
    else:
        pytest.skip("neither kubectl nor kustomize is here: the manifests cannot be rendered")
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def overlay(name: str) -> list[Object]:
    return render(K8S / "overlays" / name)


def production_with(component: str, folder: Path) -> list[Object]:
    """The production overlay and one more component, written as a platform engineer would, in `folder`."""
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(K8S / "overlays" / "production", folder.resolve())],
        "components": [os.path.relpath(K8S / "components" / component, folder.resolve())],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return render(folder)


def of_kind(objects: list[Object], *kinds: str) -> dict[str, Object]:
    """The objects of this kind, by name."""
    return {found["metadata"]["name"]: found for found in objects if found["kind"] in kinds}


def pods(objects: list[Object]) -> Iterator[tuple[Object, Object]]:
    """Each workload with its pods' spec."""
    for found in of_kind(objects, "Deployment", "StatefulSet", "Job").values():
        yield found, found["spec"]["template"]["spec"]


def containers(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Each container with a name for messages."""
    for workload, pod in pods(objects):
        for container in pod["containers"] + pod.get("initContainers", []):
            yield f"{workload['kind']} {workload['metadata']['name']}, container {container['name']}", container


def environment(container: Object) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container.get("env", [])}


def settings(objects: list[Object]) -> dict[str, str]:
    """The ConfigMap that all services read."""
    found = [one for name, one in of_kind(objects, "ConfigMap").items() if name.startswith("biosynth-settings")]
    assert len(found) == 1
    data: dict[str, str] = found[0]["data"]
    return data


def services_in(objects: list[Object]) -> list[tuple[str, Object]]:
    """The container of each of the five services."""
    found = of_kind(objects, "Deployment")
    assert found.keys() == {*SERVICES, "gateway"}
    return [(name, found[name]["spec"]["template"]["spec"]["containers"][0]) for name in SERVICES]
