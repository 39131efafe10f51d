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
        text = error.message.removeprefix(f"{Path(path).name}: ")  # where what reads it has named it
        named = type(error)(f"{path}: {text}")
        named.metadata = error.metadata
        raise named from error
