"""An order for one of the components that are Jobs, as their READMEs show it: a folder on top of the overlay."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from tests.e2e.cluster.proof import OVERLAY, ROOT
from tests.e2e.kubectl import kubectl, run


def apply_order(name: str, literals: Mapping[str, object], patches: Sequence[Mapping[str, Any]] = ()) -> None:
    """Begin the Job of the component `name`. literals: what is ordered; patches: what this cluster needs changed."""
    folder = ROOT / "build" / "orders" / name
    folder.mkdir(parents=True, exist_ok=True)
    overlay = os.path.relpath(OVERLAY, folder)
    kustomization = {
        "resources": [overlay],
        "components": [f"{overlay}/../../components/{name}", f"{overlay}/images"],
        "configMapGenerator": [
            {
                "name": name,
                "namespace": "biosynth",
                "literals": [f"{key}={value}" for key, value in literals.items()],
            }
        ],
        "patches": list(patches),
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
    kubectl("delete", f"job/{name}", "--ignore-not-found", quiet=True)
    run("kubectl", "apply", "--kustomize", str(folder), "--selector", f"app.kubernetes.io/name={name}")
