"""A folder as the store: for one machine, and the default."""

from __future__ import annotations

import errno
import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.common.errors import (
    ConfigError,
    InvalidKey,
    ObjectNotFound,
    ObjectTooLarge,
    StoreFull,
    StoreUnavailable,
    Unsupported,
)
from services.common.steps import step
from services.common.storage.keys import check_key
from services.common.storage.store import PresignedRequest, StoredObject

_PIECE = 1 << 20
# A writer that was killed leaves its temporary file; one so old has no writer any more.
_STALE_SECONDS = 3600


class FolderStore:
    """Objects as files under `root`/objects; `root`/writing holds what is being written.

    A file appears under its key by a hard link, which is atomic and fails where the name exists, and only after its
    bytes are on the disk: no reader sees a part of one, whatever is killed. A SHA-256 is computed from the bytes
    whenever it is asked for, so it is never out of date.
    """

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects"
        self._writing = root / "writing"

    @step("store_get")
    def get(self, key: str, max_bytes: int) -> bytes:
        """See Store.get."""
        path = self._path(key)
        try:
            with _errors_named(key, self._objects), path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > max_bytes:
                    raise ObjectTooLarge(
                        f"expected an object of at most {max_bytes} bytes, got {key!r} of {size}",
                        got=size,
                        limit=max_bytes,
                    )
                return file.read()
        except InvalidKey as error:
            came = "a folder of others" if path.is_dir() else "none"
            raise ObjectNotFound(f"expected an object, got {came} under {key!r}", asked=key) from error

    @step("store_put")
    def put(self, key: str, data: bytes, content_type: str) -> StoredObject:  # noqa: ARG002 - files have no type
        """See Store.put."""
        path = self._path(key)
        with _errors_named(key, self._objects):
            if path.exists():
                return _describe(key, path)
            self._make_folders(path.parent)
            written = self._write(data)
            try:
                os.link(written, path)
            except FileExistsError:
                return _describe(key, path)
            finally:
                written.unlink()
            _sync(path.parent)
        return StoredObject(key, hashlib.sha256(data).hexdigest(), len(data))

    @step("store_head")
    def head(self, key: str) -> StoredObject | None:
        """See Store.head. Reads the whole file, for its SHA-256."""
        path = self._path(key)
        with _errors_named(key, self._objects):
            try:
                return _describe(key, path)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None

    def list(self, prefix: str) -> Iterator[str]:
        """See Store.list."""
        with _errors_named(prefix, self._objects):
            found = [
                str(Path(folder, name).relative_to(self._objects).as_posix())
                for folder, _, names in os.walk(self._objects, onerror=_raise_unless_absent)
                for name in names
            ]
        return iter(sorted((key for key in found if key.startswith(prefix)), key=str.encode))

    def check(self) -> None:
        """See Store.check. Makes the folder, tries a write and removes what killed writers left."""
        try:
            self._make_folders(self._objects)
            written = self._write(b"")
            try:
                os.link(written, linked := written.with_suffix(".link"))
                linked.unlink()
            finally:
                written.unlink()
            self._remove_stale()
        except OSError as error:
            raise ConfigError(
                f"BIOSYNTH_STORE_PATH: expected a folder that can be written and holds hard links, got "
                f"{self._objects.parent} ({error.strerror})"
            ) from error

    def presign_put(self, key: str, size: int, sha256: str, seconds: int) -> PresignedRequest:  # noqa: ARG002
        """Raises Unsupported: no server answers links into a folder."""
        raise Unsupported("expected an S3 store for upload links, got a folder; send the file inside the request")

    def presign_get(self, key: str, seconds: int) -> str:  # noqa: ARG002
        """Raises Unsupported: no server answers links into a folder."""
        raise Unsupported(
            "expected an S3 store for download links, got a folder; ask for DELIVERY_FILE where a call has it"
        )

    def _path(self, key: str) -> Path:
        check_key(key)
        return self._objects / key

    def _make_folders(self, folder: Path) -> None:
        """Make folders that only this user can open: images may be of patients."""
        for path in (*reversed(folder.parents), folder, self._writing):
            if path == self._objects.parent or self._objects.parent in path.parents:
                path.mkdir(mode=0o700, exist_ok=True, parents=path == self._objects.parent)

    def _write(self, data: bytes) -> Path:
        """A temporary file with all of `data` on the disk."""
        path = self._writing / uuid.uuid4().hex
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(file, "wb") as writer:
                writer.write(data)
                writer.flush()
                os.fsync(writer.fileno())
        except BaseException:
            path.unlink()
            raise
        return path

    def _remove_stale(self) -> None:
        for path in self._writing.iterdir():
            try:
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()
            except FileNotFoundError:
                continue  # its writer, or another process that cleans up, was faster


@contextmanager
def _errors_named(key: str, objects: Path) -> Iterator[None]:
    """Turn errors of the file system into those of services/common/errors.py. objects: the folder of all of them."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(f"expected room for {key!r}, got a full disk; free some space and ask again") from error
        at_a_folder = isinstance(error, (NotADirectoryError, IsADirectoryError, FileExistsError))
        if at_a_folder and objects.is_dir():  # else the store itself is in disorder, and no key is to blame
            raise InvalidKey(f"expected a key that is no folder of others, nor under another, got {key!r}") from error
        if isinstance(error, FileNotFoundError):
            raise ObjectNotFound(f"expected an object, got none under {key!r}", asked=key) from error
        raise StoreUnavailable(f"the store's folder cannot be used for {key!r}: {error.strerror}") from error


def _describe(key: str, path: Path) -> StoredObject:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return StoredObject(key, digest.hexdigest(), file.tell())


def _sync(folder: Path) -> None:
    """Write the names in a folder to the disk, as fsync of a file does not."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
