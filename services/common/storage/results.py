"""Results that are computed once: asking again finds what is in the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from services.common.errors import InvalidArgument, ObjectNotFound, ResultDamaged
from services.common.storage.keys import check_key
from services.common.storage.store import Store, StoredObject

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

RECORD = "result.json"
_FORMAT = 1
_MAX_RECORD_BYTES = 4 * 1024**2
_TYPES = {
    "png": "image/png",
    "tif": "image/tiff",
    "json": "application/json",
    "tar": "application/x-tar",
    "md": "text/markdown",
}


@dataclass(frozen=True)
class Outcome:
    """What a computation made: files by name, and what is worth knowing without opening them."""

    files: Mapping[str, bytes]
    summary: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """An outcome in the store; `cached` where nothing was computed by this call."""

    objects: Mapping[str, StoredObject]
    summary: dict[str, Json]
    cached: bool


class Results:
    """Outcomes under results/<operation>/<SHA-256 of the identity>/, each complete once its record is there.

    Files are put first and the record last, each by a conditional single put: a killed writer leaves files without a
    record, which count for nothing, and of two writers in two processes the first one's files and record stand.

    computed_with: versions of the libraries that outcomes depend on, by name; they are part of every identity and
    stand in every record, so that another version computes anew.
    """

    def __init__(self, store: Store, computed_with: Mapping[str, str] | None = None) -> None:
        self._store = store
        self._computed_with = dict(computed_with or {})

    def folder(self, operation: str, identity: Mapping[str, Json]) -> str:
        """Where the outcome of this identity is or will be. Raises InvalidArgument for NaN or infinity in it."""
        folder = f"results/{operation}/{self._digest(identity)}"
        check_key(f"{folder}/{RECORD}")
        return folder

    def find(self, operation: str, identity: Mapping[str, Json]) -> Stored | None:
        """The outcome from the store; None where it is not there, or a file of it was deleted.

        Raises ResultDamaged where a file is not what its record says, for objects are never overwritten;
        InvalidArgument as `folder`; and what stores raise.
        """
        return self._find(self.folder(operation, identity))

    def once(self, operation: str, identity: Mapping[str, Json], compute: Callable[[], Outcome]) -> Stored:
        """The outcome of `compute` for this identity: from the store, or computed and put there now.

        identity: everything that the outcome depends on: request, SHA-256 of inputs, versions, engine, precision.
        Of callers at once, each computes; serving/flights.py holds those of one process to one computation. Raises as
        `find`, and whatever `compute` raises, with no record written.
        """
        folder = self.folder(operation, identity)
        return self._find(folder) or self._compute(folder, operation, identity, compute)

    def _find(self, folder: str) -> Stored | None:
        if (record := self._read(folder)) is None or (objects := self._objects(folder, record)) is None:
            return None
        return Stored(objects, record["summary"], cached=True)

    def _digest(self, identity: Mapping[str, Json]) -> str:
        try:
            canonical = _canonical({"identity": dict(identity), "computed_with": self._computed_with})
        except ValueError as error:
            raise InvalidArgument("expected finite numbers in the request, got NaN or infinity") from error
        return hashlib.sha256(canonical).hexdigest()

    def _compute(
        self, folder: str, operation: str, identity: Mapping[str, Json], compute: Callable[[], Outcome]
    ) -> Stored:
        outcome = compute()
        files = {}
        for name, data in sorted(outcome.files.items()):
            put = self._store.put(
                f"{folder}/{name}", data, _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
            )
            files[name] = {"sha256": put.sha256, "size": put.size}
        record: dict[str, Any] = {
            "format": _FORMAT,
            "operation": operation,
            "identity": dict(identity),
            "computed_with": self._computed_with,
            "files": files,
            "summary": outcome.summary,
        }
        self._store.put(f"{folder}/{RECORD}", _canonical(record), _TYPES["json"])
        # Read back, for another process may have been first.
        if (stored := self._find(folder)) is None:
            raise ResultDamaged(f"{folder}/ was deleted while it was written; ask again")
        return replace(stored, cached=False)

    def _read(self, folder: str) -> dict[str, Any] | None:
        """The record; None where there is none."""
        key = f"{folder}/{RECORD}"
        try:
            record: dict[str, Any] = json.loads(self._store.get(key, _MAX_RECORD_BYTES))
            if record["format"] != _FORMAT or not isinstance(record["summary"], dict):
                raise ValueError(f"format {record['format']}")
            for file in record["files"].values():
                if not (isinstance(file["sha256"], str) and isinstance(file["size"], int)):
                    raise ValueError(f"file {file}")
        except ObjectNotFound:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ResultDamaged(f"expected a record of format {_FORMAT} in {key}, got another; {_ADVICE}") from error
        return record

    def _objects(self, folder: str, record: dict[str, Any]) -> dict[str, StoredObject] | None:
        """The files that a record names; None where one is missing."""
        objects = {}
        for name, expected in record["files"].items():
            found = self._store.head(f"{folder}/{name}")
            if found is None:
                return None
            if (found.sha256, found.size) != (expected["sha256"], expected["size"]):
                raise ResultDamaged(
                    f"expected {found.key} with SHA-256 {expected['sha256']}, got {found.sha256}; {_ADVICE}"
                )
            objects[name] = found
        return objects


_ADVICE = "delete that folder of the store and ask again"


def _canonical(value: Mapping[str, Any]) -> bytes:
    """JSON with sorted names and no spaces; NaN and infinity are refused, for they are no JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
