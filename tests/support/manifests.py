"""What the Kubernetes manifests give each service, read without rendering them."""

from __future__ import annotations

from pathlib import Path

import yaml
from biosynth.contract import MIB

_BASE = Path(__file__).parents[2] / "deploy" / "k8s" / "base"
_UNITS = {"Mi": MIB, "Gi": 1024 * MIB}


def quantity(text: str) -> int:
    """Bytes of a quantity such as 512Mi or 2Gi."""
    return int(text[:-2]) * _UNITS[text[-2:]]


def memory_limit(service: str) -> int:
    """Bytes that a service's container may take, by its base."""
    manifest = yaml.safe_load((_BASE / service / "deployment.yaml").read_text("utf-8"))
    return quantity(manifest["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"])
