"""Installed packages with entry points, written by hand: a folder for sys.path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, name: str, version: str, points: Mapping[str, str], code: str = "") -> None:
    """A distribution with these plug-in segmenters, and, where there is code, a module of its name."""
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [f"{point} = {value}\n" for point, value in points.items()]
    (metadata / "entry_points.txt").write_text("[biosynth.segmenters]\n" + "".join(lines))
    if code:
        (folder / f"{name.replace('-', '_')}.py").write_text(code)
