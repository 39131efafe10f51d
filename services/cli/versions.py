"""Versions of what a result depends on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "biosynth",
    "biosynth-services",
    "numpy",
    "opencv-python-headless",
    "scikit-image",
    "scipy",
    "onnxruntime",
    "tifffile",
)


def versions() -> dict[str, str]:
    """Return package versions by name; `absent` for one that is not installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
