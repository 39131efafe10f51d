"""Where a command's work is done: services embedded in this process, or deployed ones."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from biosynth.channel import TlsOptions
from biosynth.client import Client
from biosynth.v1.types_pb2 import Content, ObjectRef

from services.cli.composition import SERVICES, Composition
from services.common.background import in_background
from services.common.config import EndpointsConfig, ServerConfig, StoreConfig
from services.common.content import INLINE_LIMIT
from services.common.engines.onnx_cpu import usable_cores
from services.common.errors import ConfigError, InvalidImage
from services.common.images import ImageLimits
from services.common.runtime import Runtime, opened
from services.common.server import Running, running
from services.common.settings import Settings
from services.common.storage.store import Store
from services.common.stores import open_store
from services.generation.config import GenerationConfig

EXTENSIONS = {b"\x89PNG": "png", b"\xff\xd8": "jpg", b"II": "tif", b"MM": "tif"}


@dataclass(frozen=True)
class Session:
    """A client, and the store itself where it is this process's own (None: reached by links)."""

    client: Client
    store: Store | None
    place: str

    def content(self, path: Path) -> Content:
        """Return a file as it is to be sent: inside the message, or, when large, by way of the store.

        Raises InvalidImage for a file that cannot be read or is over the limit.
        """
        try:
            size, limit = path.stat().st_size, ImageLimits().max_bytes
            if size > limit:
                raise InvalidImage(f"expected {path} of at most {limit} bytes; got {size}")
            data = path.read_bytes()
        except OSError as error:
            raise InvalidImage(f"expected a readable file at {path}; {error.strerror}") from error
        return Content(file=data) if size <= INLINE_LIMIT else Content(object=self._put(data))

    def get(self, ref: ObjectRef) -> bytes:
        """Return an object's bytes."""
        if self.store is None:
            return self.client.download(ref)
        return self.store.get(ref.key, ImageLimits().max_bytes * 4)

    def _put(self, data: bytes) -> ObjectRef:
        if self.store is None:
            return self.client.upload(data)
        extension = next((name for magic, name in EXTENSIONS.items() if data.startswith(magic)), "bin")
        sha256 = hashlib.sha256(data).hexdigest()
        stored = self.store.put(f"inputs/{sha256}.{extension}", data, "application/octet-stream")
        return ObjectRef(key=stored.key, sha256=stored.sha256)


@contextmanager
def open_session(env: Mapping[str, str], endpoint: str | None) -> Iterator[Session]:
    """Open a session on `endpoint`, else on BIOSYNTH_ENDPOINT, else embedded.

    Raises ConfigError for settings that do not fit.
    """
    target = endpoint or Settings(env).text("BIOSYNTH_ENDPOINT")
    with _deployed(env, target) if target else _embedded(env) as session:
        yield session


def default_store(env: Mapping[str, str]) -> StoreConfig:
    """Return the configured store, or a folder in the user's cache."""
    if Settings(env).text("BIOSYNTH_STORE") or Settings(env).text("BIOSYNTH_STORE_PATH"):
        return StoreConfig.from_env(env)
    cache = env.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return StoreConfig("folder", path=Path(cache) / "biosynth" / "store")


@contextmanager
def _deployed(env: Mapping[str, str], target: str) -> Iterator[Session]:
    settings = Settings(env)
    ca, certificate, key = (settings.file(f"BIOSYNTH_ENDPOINT_{what}_FILE") for what in ("CA", "CERT", "KEY"))
    token = settings.file("BIOSYNTH_ENDPOINT_TOKEN_FILE")
    with Client(
        target,
        token=token.read_text(encoding="utf-8").strip() if token else None,
        tls=TlsOptions(ca, certificate, key) if ca or certificate else None,
    ) as client:
        yield Session(client, None, target)


@contextmanager
def _embedded(env: Mapping[str, str]) -> Iterator[Session]:
    config = default_store(env)
    store = open_store(config)
    store.check()
    # mkdtemp makes the folder 0700: nobody else can reach the socket.
    with tempfile.TemporaryDirectory(prefix="biosynth-") as folder, opened(store, usable_cores()) as runtime:
        address = f"unix:{folder}/socket"
        server = ServerConfig(address=address, drain_seconds=0.0, max_message_bytes=64 * 1024 * 1024)
        composition = Composition(SERVICES, GenerationConfig.from_env(env), EndpointsConfig(address, address, address))
        with in_background(lambda: _serving(server, composition, runtime)), Client(address, timeout_s=3600.0) as client:
            yield Session(client, store, f"embedded, store {config.path or config.endpoint}")


@asynccontextmanager
async def _serving(config: ServerConfig, composition: Composition, runtime: Runtime) -> AsyncIterator[Running]:
    async with composition.start(runtime) as services, running(config, services) as server:
        yield server


def check_folder(path: Path) -> Path:
    """Make an output folder. Raises ConfigError where that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"expected a folder to write to at {path}; {error.strerror}") from error
    return path
