"""An overlay with components on top, as a platform engineer puts them there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.orders import ORDERS
from tests.deploy.rendering import K8S, Object, render

_ORDERS: dict[str, dict[str, Any]] = {
    "bulk-generation": {
        "literals": ["SHARDS=4", "COUNT=100", "MODEL=fluo-nuclei", "MASKS=inputs/a", "OUT=datasets/generated/a"]
    },
    "evaluation-job": {"literals": ["EVALUATIONS=2", "evaluations.txt=inputs/a inputs/b --out inputs/c"]},
    "training": {"literals": ["NODES=2", "WHAT=segmenter", "DATASET=dataset", "OUT=models/a"]},
}


def components_of(overlay: str) -> set[str]:
    """The components that an overlay has already, and what these have."""
    kustomization = yaml.safe_load((K8S / "overlays" / overlay / "kustomization.yaml").read_text())
    return {Path(path).name for path in kustomization["components"] if "components" in path}


def options_of(overlay: str) -> list[str]:
    """The components that can be put on top of it; `service` and `job` are parts of others."""
    found = {path.parent.name for path in (K8S / "components").glob("*/kustomization.yaml")}
    return sorted(found - components_of(overlay) - {"service", "job"})


def combined(overlay: str, components: Sequence[str], folder: Path) -> list[Object]:
    """The objects of the overlay with these components, `mtls` behind what it changes, and its images last."""
    ordered = sorted(components, key=lambda name: (name == "mtls", name))
    folders = [*(K8S / "components" / name for name in ordered), K8S / "overlays" / overlay / "images"]
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(K8S / "overlays" / overlay, folder.resolve())],
        "components": [os.path.relpath(path, folder.resolve()) for path in folders],
        "configMapGenerator": [
            {"name": name, "namespace": "biosynth", **_ORDERS[name]} for name in ORDERS if name in components
        ],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return render(folder)
