"""Output files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from services.common.errors import InvalidArgument


def refuse_overwriting(inputs: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Raise InvalidArgument where a result would take the place of what it is made from."""
    sources = {path.resolve() for path in inputs}
    if struck := [path for path in outputs if path.resolve() in sources]:
        raise InvalidArgument(
            f"expected results beside their inputs; {struck[0]} would be overwritten; choose another --out"
        )


def write_file(path: Path, data: bytes) -> None:
    """Write a file so that a kill at any moment leaves the old one, the new one or none, never a part."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
