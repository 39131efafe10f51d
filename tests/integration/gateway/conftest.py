"""The services behind the gateway: four real ones, and an evaluation of ours that tells what reached it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from biosynth import Client
from biosynth.channel import TlsOptions
from biosynth.v1.evaluation_pb2 import (
    ComparePairRequest,
    ComparePairResponse,
    CompareSetsRequest,
    CompareSetsResponse,
)
from biosynth.v1.evaluation_pb2_grpc import EvaluationServiceServicer, add_EvaluationServiceServicer_to_server

from services.cli.background import in_background
from services.cli.composition import SERVICES, Composition
from services.common.serving.config import CallerConfig, EndpointsConfig, ServerConfig, TlsFiles
from services.common.serving.runtime import Runtime, opened
from services.common.serving.server import Context, Running, Service, running
from services.common.storage.folder import FolderStore
from services.generation.config import GenerationConfig
from tests.support.certificates import Authority, Issued
from tests.support.gateway import Gateway, gateway
from tests.support.names import Names, named
from tests.support.ports import free_ports
from tests.support.way import Way, way_to

TOKEN = "a-token-for-a-test"  # noqa: S105 - for servers that live as long as a test
NOWHERE = "127.0.0.9"  # nobody listens there


@dataclass
class Witness(EvaluationServiceServicer):
    """ComparePair tells what reached it; CompareSets goes on until it is left."""

    seconds_left: float = 0.0
    bytes_received: int = 0
    metadata: dict[str, str | bytes] = field(default_factory=dict)
    left: threading.Event = field(default_factory=threading.Event)

    async def ComparePair(self, request: ComparePairRequest, context: Context) -> ComparePairResponse:
        self.seconds_left = context.time_remaining() or 0.0
        self.bytes_received = request.ByteSize()
        self.metadata = dict(context.invocation_metadata() or ())
        return ComparePairResponse(version="1")

    async def CompareSets(self, request: CompareSetsRequest, context: Context) -> AsyncIterator[CompareSetsResponse]:
        try:
            while True:
                yield CompareSetsResponse()
                await asyncio.sleep(0.05)
        finally:
            self.left.set()


@dataclass(frozen=True)
class Behind:
    """A gateway, what is behind it, and what its callers need."""

    gateway: Gateway
    names: Names
    witness: Witness
    ours: Authority
    caller: Issued | None  # its certificate, under mutual TLS
    port: int  # of the services, on other addresses of this machine than the gateway's
    way: Way  # between the gateway and the evaluation

    def tls(self) -> TlsOptions:
        """Whom callers trust, and under mutual TLS who they are."""
        own = (self.caller.certificate, self.caller.key) if self.caller else (None, None)
        return TlsOptions(self.ours.certificate, *own)

    def client(self, *, token: str = TOKEN, retries: int = 0) -> Client:
        """A client that does not try again, unless told to."""
        return Client(self.gateway.address, token=token, tls=self.tls(), retries=retries, timeout_s=60)


@pytest.fixture(scope="module", params=[False, True], ids=["tls", "mutual-tls"])
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with _started(tmp_path_factory.mktemp("gateway"), mutual=request.param) as found:
        yield found


@contextmanager
def _started(folder: Path, *, mutual: bool) -> Iterator[Behind]:
    ours, witness = Authority.create(folder / "ours"), Witness()
    own, caller = ours.issue("server", hosts=("localhost", *SERVICES)), ours.issue("caller") if mutual else None
    port, services_port = free_ports(2)
    (token := folder / "token").write_text(TOKEN)
    tls = TlsFiles(own.certificate, own.key, ours.certificate if mutual else None)
    config = ServerConfig(f"127.0.0.2:{services_port}", tls=tls, token_file=token, drain_seconds=1)
    asked = CallerConfig(TlsOptions(ours.certificate, own.certificate, own.key), token)
    store = FolderStore(folder / "store")
    store.check()
    with ExitStack() as entered:
        runtime = entered.enter_context(opened(store, 2))
        services = _serving(config, runtime, f"localhost:{port}", asked, witness)
        entered.enter_context(in_background(lambda: services))
        way = entered.enter_context(way_to(("127.0.0.2", services_port), ("127.0.0.3", services_port)))
        places = {f"{name}.test": "127.0.0.2" for name in SERVICES} | {"evaluation.test": "127.0.0.3"}
        names = entered.enter_context(named(places))
        nginx = gateway(folder / "gateway", port, names.address, ours, own, services_port, mutual=mutual)
        yield Behind(entered.enter_context(nginx), names, witness, ours, caller, services_port, way)


@asynccontextmanager
async def _serving(
    config: ServerConfig, runtime: Runtime, gateway: str, caller: CallerConfig, witness: Witness
) -> AsyncIterator[Running]:
    """All services on one port; the pipeline reaches the others by the gateway too."""
    real = [name for name in SERVICES if name != "evaluation"]
    composition = Composition(real, GenerationConfig(), EndpointsConfig(gateway, gateway, gateway, caller))
    own = Service("biosynth.v1.EvaluationService", partial(add_EvaluationServiceServicer_to_server, witness))
    async with composition.start(runtime) as services, running(config, [*services, own]) as server:
        yield server
