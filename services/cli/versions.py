"""Versions of what runs here."""

from __future__ import annotations

import platform
from importlib.metadata import version

from services.common.serving.runtime import computed_with


def versions() -> dict[str, str]:
    """Return the versions of Python, of this project and of the libraries that results depend on, by name."""
    ours = {package: version(package) for package in ("biosynth", "biosynth-services")}
    return {"python": platform.python_version(), **ours, **computed_with()}
