"""All services on one real server, over a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from biosynth import Client

from services.cli.background import in_background
from services.cli.composition import SERVICES, Composition
from services.common.serving.config import EndpointsConfig, ServerConfig
from services.common.serving.runtime import Runtime, opened
from services.common.serving.server import Running, running
from services.common.storage.folder import FolderStore
from services.common.storage.store import Store
from services.generation.config import GenerationConfig

_SHIPPED = GenerationConfig()


@asynccontextmanager
async def _started(config: ServerConfig, runtime: Runtime, generation: GenerationConfig) -> AsyncIterator[Running]:
    endpoints = EndpointsConfig(config.address, config.address, config.address)
    composition = Composition(SERVICES, generation, endpoints)
    async with composition.start(runtime) as services, running(config, services) as server:
        yield server


@contextmanager
def stack(store: Store, folder: Path, generation: GenerationConfig = _SHIPPED) -> Iterator[Client]:
    """A client of all services over `store`, on a socket in `folder`. generation: which models there are."""
    address = f"unix:{folder}/s"
    config = ServerConfig(address=address, drain_seconds=1, max_message_bytes=64 * 1024 * 1024)
    with ExitStack() as entered:
        runtime = entered.enter_context(opened(store, 2))
        entered.enter_context(in_background(lambda: _started(config, runtime, generation)))
        yield entered.enter_context(Client(address, timeout_s=60, retries=0))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    store = FolderStore(tmp_path / "store")
    store.check()
    return store


@pytest.fixture
def client(store: FolderStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with stack(store, tmp_path_factory.mktemp("s")) as client:
        yield client
