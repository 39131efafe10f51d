"""What every store can do. An object, once written, never changes: the first writer's bytes stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class StoredObject:
    """An object that is in the store."""

    key: str
    sha256: str  # of its bytes, 64 lower-case hex digits
    size: int  # bytes


@dataclass(frozen=True)
class PresignedRequest:
    """A PUT that its holder may send without credentials; it must carry exactly these headers."""

    url: str
    headers: Mapping[str, str]


class Store(Protocol):
    """Objects by key. Calls block and may come from several threads at once.

    All raise InvalidKey for a bad key, StoreUnavailable where the store does not answer and ConfigError where it
    cannot be used as configured.
    """

    def get(self, key: str, max_bytes: int) -> bytes:
        """The object's bytes. Raises ObjectNotFound, or ObjectTooLarge before anything is read."""

    def put(self, key: str, data: bytes, content_type: str) -> StoredObject:
        """Write unless the key exists; either way, return the object that is there now: the first writer wins.

        Readers see all of it or nothing. Raises StoreFull.
        """

    def head(self, key: str) -> StoredObject | None:
        """The object without its bytes; None where there is none."""

    def list(self, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix` (any text; empty: all), sorted by their UTF-8 bytes."""

    def check(self) -> None:
        """Raise StoreUnavailable or ConfigError, in plain words, unless the store can be used."""

    def presign_put(self, key: str, size: int, sha256: str, seconds: int) -> PresignedRequest:
        """A link for one upload of these very bytes, where the key does not exist yet. Raises Unsupported."""

    def presign_get(self, key: str, seconds: int) -> str:
        """A link for downloads of one object. Raises Unsupported."""
