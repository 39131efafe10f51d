"""Errors in words of their reader: with the file that they are about, or with options as a command calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from services.common.errors import BiosynthError


@contextmanager
def rewording(words: Callable[[str], str]) -> Iterator[None]:
    """Raise an error as the same error with other words."""
    try:
        yield
    except BiosynthError as error:
        reworded = type(error)(words(error.message))
        reworded.metadata = error.metadata
        raise reworded from error


def naming(path: Path | str) -> AbstractContextManager[None]:
    """Say in an error which file it is about, once: what reads the file may have said its name."""
    return rewording(lambda text: f"{path}: {text.removeprefix(f'{Path(path).name}: ')}")
