"""What weights files and packages a result of a plug-in depends on, as text for its version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def version_of(package: str) -> str | None:
    """The installed version of a package, without importing it; None: it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def made_of(packages: Iterable[str], files: Iterable[Path]) -> str:
    """Versions of packages and the SHA-256 of files, in short: another one of them gives other results."""
    digest = hashlib.sha256()
    names = []
    for file in files:
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
        names.append(file.name)
    weights = f"weights {digest.hexdigest()[:16]}" if names else "no weights"
    return ", ".join([*(f"{package} {version_of(package) or 'absent'}" for package in packages), weights])
