"""Model folders whose files change together, when all of them are there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced(folder: Path, last: str) -> Iterator[Path]:
    """While open, an empty folder to write files to; then they take the places of those of their names in `folder`.

    Each is there whole or not at all, and `last`, the name of the description, comes last: a kill between two of them
    leaves weights that the description's sha256 does not fit, which are refused. What fails leaves `folder` as it was.
    """
    partial = folder / ".partial"  # on the same file system, so that renaming is at once
    shutil.rmtree(partial, ignore_errors=True)  # left by one that was killed
    partial.mkdir(parents=True)
    try:
        yield partial
        for path in sorted(partial.iterdir(), key=lambda path: path.name == last):
            with path.open("rb") as file:
                os.fsync(file.fileno())  # else a machine that goes down could leave the new name with no bytes
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
