"""Errors that say which file they are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.common.errors import BiosynthError


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Say in an error which file it is about."""
    try:
        yield
    except BiosynthError as error:
        if error.message.startswith(f"{Path(path).name}: "):  # said already, by what reads it
            raise
        named = type(error)(f"{path}: {error.message}")
        named.metadata = error.metadata
        raise named from error
