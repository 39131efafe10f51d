"""Where files come from and go to: a folder, or a prefix of the bucket that is configured as the store."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from services.cli.files import check_folder, read_input
from services.common.errors import ConfigError, InvalidArgument
from services.common.imaging.images import ImageLimits
from services.common.settings import Settings
from services.common.storage.config import StoreConfig
from services.common.storage.store import Store
from services.common.storage.stores import open_store
from services.common.whole_files import write_file

_S3 = "s3://"
_MOST_BYTES = 5 * 1024**3  # of a file that we wrote ourselves: as much as a store takes at once


class Place(Protocol):
    """Files by name, such as `images/000001.png`."""

    def names(self) -> list[str]:
        """Of all files, sorted; none where there is no such place yet."""

    def lacking(self) -> str:
        """Why there are no files, where that can be told: words to follow the place's name."""

    def read(self, name: str) -> bytes:
        """A file of ours."""

    def read_input(self, name: str) -> bytes:
        """A file of the user's. Raises InvalidImage or ObjectTooLarge for one that is over the limit of images."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file so that a kill at any moment leaves all of it or nothing."""

    def sweep(self) -> None:
        """Remove what killed writers left; nobody else may be writing."""


class Folder:
    """A folder and those below it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __str__(self) -> str:
        return str(self._root)

    def names(self) -> list[str]:
        """See Place."""
        walked = os.walk(self._root)
        return sorted(
            Path(folder, name).relative_to(self._root).as_posix() for folder, _, names in walked for name in names
        )

    def lacking(self) -> str:
        """See Place."""
        if self._root.is_dir():
            return ""
        return ", which is a file" if self._root.exists() else ", which is not there"

    def read(self, name: str) -> bytes:
        """See Place."""
        return (self._root / name).read_bytes()

    def read_input(self, name: str) -> bytes:
        """See Place."""
        return read_input(self._root / name)

    def write(self, name: str, data: bytes) -> None:
        """See Place."""
        path = self._root / name
        check_folder(path.parent)
        write_file(path, data)

    def sweep(self) -> None:
        """See Place."""
        for name in self.names():
            if name.rpartition("/")[2].startswith(".") and name.endswith(".partial"):
                (self._root / name).unlink(missing_ok=True)


class Prefix:
    """Objects of a store whose keys begin alike. What is there stays: an order's files are the same each time."""

    def __init__(self, store: Store, bucket: str, prefix: str) -> None:
        self._store, self._bucket, self._prefix = store, bucket, prefix

    def __str__(self) -> str:
        return f"{_S3}{self._bucket}/{self._prefix}".rstrip("/")

    def has(self, name: str) -> bool:
        """Whether a file is there; whoever may not list the names may still ask for one."""
        return self._store.head(self._prefix + name) is not None

    def names(self) -> list[str]:
        """See Place."""
        return [key.removeprefix(self._prefix) for key in self._store.list(self._prefix)]

    def lacking(self) -> str:
        """See Place."""
        return ""

    def read(self, name: str) -> bytes:
        """See Place."""
        return self._store.get(self._prefix + name, _MOST_BYTES)

    def read_input(self, name: str) -> bytes:
        """See Place."""
        return self._store.get(self._prefix + name, ImageLimits().max_bytes)

    def write(self, name: str, data: bytes) -> None:
        """See Place. Raises InvalidArgument where another file is there."""
        stored = self._store.put(self._prefix + name, data, "application/octet-stream")
        if stored.sha256 != hashlib.sha256(data).hexdigest():
            raise InvalidArgument(f"expected no file, or the same, at {self}/{name}; got another; choose another --out")

    def sweep(self) -> None:
        """See Place: a store shows no part of an object."""


def open_place(text: str, env: Mapping[str, str]) -> Folder | Prefix:
    """The folder, or what s3://BUCKET/PREFIX names. Raises ConfigError or InvalidArgument for another bucket."""
    if not text.startswith(_S3):
        return Folder(Path(text))
    bucket, _, prefix = text.removeprefix(_S3).partition("/")
    if Settings(env).text("BIOSYNTH_STORE") != "s3":
        raise ConfigError(f"expected BIOSYNTH_STORE=s3 and where that store is (docs/settings.md), for {text}")
    config = StoreConfig.from_env(env)
    if bucket != config.bucket or not prefix.strip("/"):
        raise InvalidArgument(f"expected {_S3}{config.bucket}/FOLDER, in the bucket that is configured; got {text}")
    return Prefix(open_store(config), bucket, f"{prefix.strip('/')}/")


def path_of(place: Folder | Prefix) -> Path:
    """What to tell places apart by: of a folder, where it really lies."""
    return Path(str(place)).resolve() if isinstance(place, Folder) else Path(str(place))
