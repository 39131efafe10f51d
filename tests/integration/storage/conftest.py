"""Stores of every kind: a folder, SeaweedFS, and MinIO where its server is to be had."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.common.storage.folder import FolderStore
from services.common.storage.s3 import S3Config, S3Store
from services.common.storage.store import Store
from tests import s3_servers


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, s3_servers.S3Server]]:
    """Servers by name, each started when it is first asked for."""
    with ExitStack() as stack:
        yield _Servers(stack, tmp_path_factory)


class _Servers(dict[str, s3_servers.S3Server]):
    def __init__(self, stack: ExitStack, folders: pytest.TempPathFactory) -> None:
        self._stack = stack
        self._folders = folders

    def __missing__(self, name: str) -> s3_servers.S3Server:
        folder = self._folders.mktemp(name)
        if name == "seaweedfs":
            self[name] = self._stack.enter_context(s3_servers.seaweedfs(folder))
        elif (binary := s3_servers.minio_binary()) is not None:
            self[name] = self._stack.enter_context(s3_servers.minio(folder, binary))
        else:
            pytest.skip("MinIO's server is not here: set BIOSYNTH_TEST_MINIO to its path, or put `minio` on PATH")
        return self[name]


@pytest.fixture(params=["seaweedfs", "minio"])
def s3_config(request: pytest.FixtureRequest, servers: dict[str, s3_servers.S3Server]) -> S3Config:
    """How to reach a real S3 server."""
    server = servers[request.param]
    return S3Config(
        server.endpoint, server.endpoint, server.bucket, server.region, server.access_key, server.secret_key
    )


@pytest.fixture(params=["folder", "seaweedfs", "minio"])
def store(request: pytest.FixtureRequest, tmp_path: Path, servers: dict[str, s3_servers.S3Server]) -> Store:
    """A store that can be used; what other tests wrote may be in it."""
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    server = servers[request.param]
    return S3Store(
        S3Config(server.endpoint, server.endpoint, server.bucket, server.region, server.access_key, server.secret_key)
    )


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A prefix of keys that no other test uses."""
    return f"results/{abs(hash(request.node.nodeid))}"
