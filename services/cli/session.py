"""Where a command's work is done: services embedded in this process, or deployed ones."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from biosynth.channel import TlsOptions
from biosynth.client import Client
from biosynth.errors import BiosynthCallError
from biosynth.v1.types_pb2 import Content, Delivery, ObjectRef

from services.cli.background import in_background
from services.cli.composition import SERVICES, Composition
from services.common.engines.cores import usable_cores
from services.common.errors import ConfigError, InvalidImage
from services.common.imaging.images import ImageLimits
from services.common.serving.config import EndpointsConfig, ServerConfig, StoreConfig
from services.common.serving.content import INLINE_LIMIT
from services.common.serving.runtime import Runtime, opened
from services.common.serving.server import Running, running
from services.common.serving.tokens import TokenFile
from services.common.settings import Settings
from services.common.storage.store import Store
from services.common.storage.stores import open_store
from services.generation.config import GenerationConfig

T = TypeVar("T")
MOST_BYTES = 1024**3  # of a result that we made ourselves
EXTENSIONS = {b"\x89PNG": "png", b"\xff\xd8": "jpg", b"II": "tif", b"MM": "tif"}


@dataclass(frozen=True)
class Session:
    """A client, and the store itself where it is this process's own (None: reached by links)."""

    client: Client
    store: Store | None
    place: str
    store_place: str

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

    def ask(self, call: Callable[[Delivery.ValueType], T]) -> T:
        """Make a call that delivers pixels: as objects of our own store, or inside the reply of a deployed service.

        What is too large for a reply is asked for again, as objects to be downloaded by link: the work is done already.
        """
        if self.store is not None:
            return call(Delivery.DELIVERY_OBJECT)
        try:
            return call(Delivery.DELIVERY_FILE)
        except BiosynthCallError as error:
            if error.reason not in ("OBJECT_TOO_LARGE", "MESSAGE_TOO_LARGE"):
                raise
            return call(Delivery.DELIVERY_OBJECT)

    def get(self, content: Content) -> bytes:
        """Return the bytes of a delivered file."""
        if not content.HasField("object"):
            return content.file
        if self.store is None:
            return self.client.download(content.object)
        return self.store.get(content.object.key, MOST_BYTES)

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
        token=TokenFile("BIOSYNTH_ENDPOINT_TOKEN_FILE", token).first() if token else None,
        tls=TlsOptions(ca, certificate, key) if ca or certificate else None,
    ) as client:
        yield Session(client, None, target, "the deployment's own")


@contextmanager
def _embedded(env: Mapping[str, str]) -> Iterator[Session]:
    config = default_store(env)
    store = open_store(config)
    store.check()
    with private_address() as address, opened(store, usable_cores()) as runtime:
        # Some grace, though nothing is in flight: without it gRPC tells the user of every connection that it cuts.
        server = ServerConfig(address=address, drain_seconds=1.0)
        composition = Composition(SERVICES, GenerationConfig.from_env(env), EndpointsConfig(address, address, address))
        with in_background(lambda: _serving(server, composition, runtime)), Client(address, timeout_s=3600.0) as client:
            yield Session(client, store, "embedded", str(config.path or f"{config.endpoint}/{config.bucket}"))


@asynccontextmanager
async def _serving(config: ServerConfig, composition: Composition, runtime: Runtime) -> AsyncIterator[Running]:
    async with composition.start(runtime) as services, running(config, services, runtime.metrics) as server:
        yield server


@contextmanager
def private_address() -> Iterator[str]:
    """A Unix socket's address in a folder (mode 0700) that only this user can enter."""
    # In /tmp where there is one: a socket's path may have some 100 bytes, and TMPDIR can be long.
    parent = "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="biosynth-", dir=parent) as folder:
        yield f"unix:{folder}/socket"


def check_folder(path: Path) -> Path:
    """Make an output folder. Raises ConfigError where that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"expected a folder to write to at {path}; {error.strerror}") from error
    return path
