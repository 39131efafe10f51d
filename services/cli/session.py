"""Where a command's work is done: services embedded in this process, or deployed ones."""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from biosynth.client import Client
from biosynth.contract import INLINE_BYTES, extension_of
from biosynth.errors import BiosynthCallError
from biosynth.v1.types_pb2 import Content, Delivery, ObjectRef
from google.protobuf.message import Message

from services.cli.background import in_background
from services.cli.composition import SERVICES, Composition
from services.common.engines.cores import usable_cores
from services.common.errors import Unsupported
from services.common.serving.config import CallerConfig, EndpointsConfig, ServerConfig
from services.common.serving.runtime import Runtime, opened
from services.common.serving.server import Running, running
from services.common.serving.tokens import TokenFile
from services.common.settings import Settings
from services.common.storage.config import StoreConfig
from services.common.storage.store import Store
from services.common.storage.stores import open_store
from services.evaluation.config import EvaluationConfig
from services.generation.config import GenerationConfig
from services.segmentation.config import SegmentationConfig

P = TypeVar("P")
T = TypeVar("T")
MOST_BYTES = 1024**3  # of a result that we made ourselves


@dataclass(frozen=True)
class Session:
    """A client, and the store itself where it is this process's own (None: reached by links)."""

    client: Client
    store: Store | None
    place: str
    store_place: str

    def content(self, data: bytes) -> Content:
        """A file as it is to be sent: inside the message, or, when large, by way of the store."""
        return Content(file=data) if len(data) <= INLINE_BYTES else Content(object=self._put(data))

    def stored(self, data: bytes) -> Content:
        """A file as an object of the store: for one of many, which together are too large for a message."""
        return Content(object=self._put(data))

    def ask(self, call: Callable[[Any], T], request: Any) -> T:
        """Make a call that delivers pixels, and return its reply with a file in every Content.

        call: takes the request and returns a message. Embedded services deliver files as objects of our own store,
        deployed ones inside the reply. A result too large for a reply is asked for again, as objects to download by
        link; it is in the store by then, so nothing is computed twice.
        """
        reply = self._deliver(call, request)
        for content in _contents(reply):
            if content.HasField("object"):
                content.file = self._get(content.object)
        return reply

    def _deliver(self, call: Callable[[Any], T], request: Any) -> T:
        if self.store is None:
            request.delivery = Delivery.DELIVERY_FILE
            try:
                return call(request)
            except BiosynthCallError as error:
                if error.reason not in ("OBJECT_TOO_LARGE", "MESSAGE_TOO_LARGE"):
                    raise
        request.delivery = Delivery.DELIVERY_OBJECT
        return call(request)

    def _get(self, ref: ObjectRef) -> bytes:
        if self.store is None:
            return self._by_link(self.client.download, ref)
        return self.store.get(ref.key, MOST_BYTES)

    def _put(self, data: bytes) -> ObjectRef:
        if self.store is None:
            return self._by_link(self.client.upload, data)
        sha256 = hashlib.sha256(data).hexdigest()
        key = f"inputs/{sha256}.{extension_of(data) or 'bin'}"
        stored = self.store.put(key, data, "application/octet-stream")
        return ObjectRef(key=stored.key, sha256=stored.sha256)

    def _by_link(self, transfer: Callable[[P], T], what: P) -> T:
        """Upload or download. Raises Unsupported where no pipeline service is there to sign the link."""
        try:
            return transfer(what)
        except BiosynthCallError as error:
            if error.reason != "NO_SUCH_CALL":
                raise
            raise Unsupported(
                f"expected the pipeline service at {self.place}, whose links bring files into the store and out of it; "
                "found none: name the address of all services, a deployment's gateway or `biosynth serve`, in "
                "BIOSYNTH_ENDPOINT or --endpoint"
            ) from error


def _contents(message: Any) -> Iterator[Content]:
    """Every Content in a message, at any depth."""
    for field, value in message.ListFields():
        for inner in value if field.is_repeated else [value]:
            if isinstance(inner, Content):
                yield inner
            elif isinstance(inner, Message):
                yield from _contents(inner)


def add_endpoint(parser: argparse.ArgumentParser) -> None:
    """Declare --endpoint, for commands that ask services."""
    parser.add_argument(
        "--endpoint",
        metavar="HOST:PORT",
        help="use the services of a deployment, by its one address; default: embedded",
    )


@contextmanager
def open_session(env: Mapping[str, str], endpoint: str | None) -> Iterator[Session]:
    """Open a session on `endpoint` for all services, else on BIOSYNTH_ENDPOINT, else embedded.

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
    return StoreConfig(path=Path(cache) / "biosynth" / "store")


@contextmanager
def _deployed(env: Mapping[str, str], target: str) -> Iterator[Session]:
    caller = CallerConfig.from_env(env)
    token = TokenFile("BIOSYNTH_ENDPOINT_TOKEN_FILE", caller.token_file).first() if caller.token_file else None
    with Client(target, token=token, tls=caller.tls) as client:
        yield Session(client, None, target, "the deployment's own")


@contextmanager
def _embedded(env: Mapping[str, str]) -> Iterator[Session]:
    config = default_store(env)
    store = open_store(config)
    store.check()
    with private_address() as address, opened(store, usable_cores()) as runtime:
        # Some grace, though no call is in flight: without it gRPC prints a line for every connection that it cuts.
        server = ServerConfig(address=address, drain_seconds=1.0)
        composition = Composition(
            SERVICES,
            GenerationConfig.from_env(env),
            EndpointsConfig(address, address, address),
            EvaluationConfig.from_env(env),
            SegmentationConfig.from_env(env),
        )
        with in_background(lambda: _serving(server, composition, runtime)), Client(address, timeout_s=3600.0) as client:
            yield Session(client, store, "embedded", config.place)


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
