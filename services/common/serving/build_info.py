"""What runs here: the versions of this program, of Python and of what runs the networks."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Gauge

_ENGINES = ("onnxruntime", "torch")


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Versions of these packages, as far as they are installed here."""
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def add_build_info(registry: CollectorRegistry) -> None:
    """A gauge that is always 1, with the versions as its labels."""
    labels = {
        "version": installed(["biosynth-services"]).get("biosynth-services", "unknown"),
        "python": platform.python_version(),
        "engine": ", ".join(f"{name} {number}" for name, number in installed(_ENGINES).items()) or "none",
    }
    gauge = Gauge("biosynth_build_info", "Versions of what runs here; always 1.", tuple(labels), registry=registry)
    gauge.labels(**labels).set(1)
