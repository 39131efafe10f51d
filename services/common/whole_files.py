"""Files that are whole or not there."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_file(path: Path, data: bytes) -> None:
    """Write a file so that a kill at any moment leaves the old one, the new one or none, never a part."""
    # By no process id: those that share a folder may be in containers, where ids are equal.
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
