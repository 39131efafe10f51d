"""Stores of every kind: a folder, SeaweedFS, and MinIO where its server is to be had."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider

from services.cli.background import in_background
from services.cli.composition import Composition
from services.common.serving.config import EndpointsConfig, ServerConfig
from services.common.serving.runtime import Runtime, opened
from services.common.serving.server import Running, running
from services.common.storage.config import StoreConfig
from services.common.storage.folder import FolderStore
from services.common.storage.s3 import S3Store
from services.common.storage.store import Store
from services.generation.config import GenerationConfig
from tests.support import s3_servers

BUCKET = "shared"


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
        else:
            self[name] = self._stack.enter_context(s3_servers.minio(folder, _minio_binary()))
        return self[name]


def _minio_binary() -> str:
    if (binary := s3_servers.minio_binary()) is None:
        pytest.skip("MinIO's server is not here: set BIOSYNTH_TEST_MINIO to its path, or put `minio` on PATH")
    return binary


@pytest.fixture(scope="session")
def minio_binary() -> str:
    """MinIO's server; tests that need it skip without it."""
    return _minio_binary()


def _config(server: s3_servers.S3Server) -> StoreConfig:
    return StoreConfig(
        server.endpoint, server.endpoint, server.bucket, server.region, server.access_key, server.secret_key
    )


@pytest.fixture(params=["seaweedfs", "minio"])
def s3_config(request: pytest.FixtureRequest, servers: dict[str, s3_servers.S3Server]) -> StoreConfig:
    """How to reach a real S3 server."""
    return _config(servers[request.param])


@pytest.fixture(params=["folder", "seaweedfs", "minio"])
def store(request: pytest.FixtureRequest, tmp_path: Path, servers: dict[str, s3_servers.S3Server]) -> Store:
    """A store that can be used; what other tests wrote may be in it."""
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    return S3Store(_config(servers[request.param]))


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A prefix of keys that no other test uses."""
    return f"results/{abs(hash(request.node.nodeid))}"


@dataclass(frozen=True)
class MinioWithUsers:
    """A MinIO that deploy/minio/init.py has set up, and ways into it for each of its users."""

    server: s3_servers.S3Server
    secrets: Path

    def config(self, user: str) -> StoreConfig:
        folder, endpoint = self.secrets / f"store-{user}", self.server.endpoint
        access, secret = ((folder / name).read_text().strip() for name in ("access-key", "secret-key"))
        return StoreConfig(endpoint, endpoint, BUCKET, self.server.region, access, secret)

    def store(self, user: str) -> S3Store:
        return S3Store(self.config(user))

    def client(self, user: str) -> Minio:
        config = self.config(user)
        return Minio(self._host, config.access_key, config.secret_key, secure=False, region=config.region)

    def admin(self, user: str) -> MinioAdmin:
        config = self.config(user)
        keys = StaticProvider(config.access_key, config.secret_key)
        return MinioAdmin(endpoint=self._host, credentials=keys, secure=False, region=config.region)

    @property
    def _host(self) -> str:
        return self.server.endpoint.removeprefix("http://")


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory, minio_binary: str) -> Iterator[MinioWithUsers]:
    """As a deployment has its store."""
    secrets = s3_servers.write_secrets(tmp_path_factory.mktemp("secrets"))
    with s3_servers.minio(tmp_path_factory.mktemp("minio"), minio_binary) as server:
        done = s3_servers.setup(server.endpoint, BUCKET, secrets)
        assert done.returncode == 0, done.stderr
        yield MinioWithUsers(server, secrets)


@contextmanager
def each_alone(minio: MinioWithUsers, names: Sequence[str], folder: Path) -> Iterator[None]:
    """A server for each of these services, at `folder`/name, with its own user; models come from the store."""
    endpoints = EndpointsConfig(f"unix:{folder}/segmentation", f"unix:{folder}/reference", f"unix:{folder}/generation")
    generation = GenerationConfig(model_folders=(), device="cpu", from_store=True)
    with ExitStack() as entered:
        for name in names:
            store = minio.store(name)
            store.check()
            runtime = entered.enter_context(opened(store, 1))
            config = ServerConfig(address=f"unix:{folder}/{name}", drain_seconds=1)
            start = partial(_started, config, Composition([name], generation, endpoints), runtime)
            entered.enter_context(in_background(start))
        yield


@asynccontextmanager
async def _started(config: ServerConfig, composition: Composition, runtime: Runtime) -> AsyncIterator[Running]:
    async with composition.start(runtime) as services, running(config, services) as server:
        yield server
