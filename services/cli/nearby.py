"""Folders that a command reads as files: those of the store are copied to this machine first."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from services.cli.places import Folder, Place, open_place
from services.common.errors import InvalidImage


@contextmanager
def nearby(env: Mapping[str, str]) -> Iterator[Callable[[str], Path]]:
    """While open, turns a folder or s3://BUCKET/FOLDER into a folder of this machine, of the same name.

    What it gives raises ConfigError or InvalidArgument for another bucket than the configured one, InvalidImage where
    nothing is there, and ObjectTooLarge. Files in folders below are left where they are: no command here reads them.
    """
    with tempfile.TemporaryDirectory(prefix="biosynth-") as copies:

        def near(text: str) -> Path:
            place = open_place(text, env)
            if isinstance(place, Folder):
                return Path(text)
            folder = Path(tempfile.mkdtemp(dir=copies)) / text.rstrip("/").rpartition("/")[2]
            folder.mkdir()
            _copy(place, folder)
            return folder

        yield near


def _copy(place: Place, folder: Path) -> None:
    # Names with a slash could lead out of the folder: a key of a store may hold `..`.
    names = [name for name in place.names() if name and "/" not in name]
    if not names:
        raise InvalidImage(f"expected files at {place}; found none")
    for name in names:
        (folder / name).write_bytes(place.read_input(name))
