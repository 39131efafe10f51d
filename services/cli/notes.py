"""What people are to know of how their files were read: said once for all files that it is true of."""

from __future__ import annotations

import re
from collections.abc import Iterable

from services.cli.console import Console
from services.evaluation.pictures import listed

_FIGURES = re.compile(r" from \S+ to \S+")  # of one file's values: the same is true of others with other figures


class Notes:
    """Notes by their text, with the files that each is about."""

    def __init__(self) -> None:
        # Of each note without figures, the files in the order they came, with the note as it is of each.
        self._files: dict[str, dict[str, str]] = {}

    def add(self, name: str, notes: Iterable[str]) -> None:
        """Keep what is to be said of a file; saying it twice says it once."""
        for note in notes:
            self._files.setdefault(_FIGURES.sub("", note), {})[name] = note

    def tell(self, console: Console) -> None:
        """Say everything, and forget it."""
        for note, names in self._files.items():
            files = list(names)
            console.warn(
                f"{listed(files)}: {names[files[0]]}"
                if len(files) == 1
                else f"{len(files)} files: {note}: {listed(files)}"
            )
        self._files.clear()
