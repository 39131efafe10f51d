"""MinIO in the cluster, as its administrator sees it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from minio import Minio
from minio.error import S3Error

from tests.e2e.cluster.proof import STORE_PORT, Proof
from tests.e2e.deployment import Deployment
from tests.e2e.kubectl import forwarded

BUCKET = "biosynth"


@contextmanager
def opened_store(proof: Proof) -> Iterator[Minio]:
    """A client, by way of a port-forward."""
    with forwarded("service/minio", 9000, STORE_PORT) as address:
        yield Deployment("", proof.secrets, f"http://{address}").store_root()


def keys_below(store: Minio, prefix: str) -> set[str]:
    """All keys that begin so."""
    return {str(entry.object_name) for entry in store.list_objects(BUCKET, prefix, recursive=True)}


def lost(store: Minio, named: Mapping[str, str]) -> list[str]:
    """Keys, of those that a SHA-256 is named for, under which other bytes lie, or nothing."""
    return [key for key, sha256 in named.items() if _sha256(store, key) != sha256]


def _sha256(store: Minio, key: str) -> str:
    try:
        return hashlib.sha256(read(store, key)).hexdigest()
    except S3Error as error:
        return error.code or "none"


def read(store: Minio, key: str) -> bytes:
    """The object's bytes. Raises S3Error where there is none."""
    with store.get_object(BUCKET, key) as answer:
        data: bytes = answer.read()
    return data
