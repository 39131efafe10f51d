"""All services as a deployment secures them, over TLS or mutual TLS with a token; and the ways to connect to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import grpc

from services.cli.background import in_background
from services.cli.composition import SERVICES, Composition
from services.common.serving.config import EndpointsConfig, ServerConfig, TlsFiles
from services.common.serving.metrics import Metrics
from services.common.serving.runtime import Runtime, opened
from services.common.serving.server import Running, running
from services.common.storage.folder import FolderStore
from services.generation.config import GenerationConfig
from tests.support.calls import dial
from tests.support.certificates import Authority, Issued

RIGHT, FORMER = "the-right-token", "the-former-token"
# What callers may send, by its name in the matrix.
TOKENS: Mapping[str, str | None] = {
    "right": RIGHT,
    "none": None,
    "wrong": "a-wrong-token",
    "expired": "an-expired-token",
    "former": FORMER,
}
TOKEN_FILE = f"# newest first\n{RIGHT}\n\n{TOKENS['expired']} 2020-01-01T00:00:00Z\n"


@dataclass(frozen=True)
class SecuredServices:
    """All services on one port, the same with an expired certificate on another, and health alone on a third."""

    address: str
    expired_address: str
    health_address: str
    token_file: Path  # holds the former token until `rotate`
    metrics: Metrics  # of the first two ports
    ours: Authority
    theirs: Authority  # another one, that nobody here trusts
    client: Issued | None  # for mutual TLS: the client's own certificate

    def connect(self) -> grpc.Channel:
        """A channel with all that a good connection needs."""
        return dial(self.address, self.ours, self.client)

    def bad_channels(self) -> dict[str, grpc.Channel]:
        """Channels whose connection must fail, by what is wrong with them."""
        ways = {
            "in the clear": grpc.insecure_channel(self.address),
            "server's CA unknown": dial(self.address, self.theirs, self.client),
            "server's expired": dial(self.expired_address, self.ours, self.client),
            "server's name another": dial(self.address.replace("localhost", "127.0.0.1"), self.ours, self.client),
        }
        if self.client is None:
            return ways
        return ways | {
            "no client certificate": dial(self.address, self.ours),
            "client's CA unknown": dial(self.address, self.ours, self.theirs.issue("client")),
            "client's expired": dial(self.address, self.ours, self.ours.issue("expired-client", expired=True)),
        }

    def rotate(self) -> None:
        """Put the right token in the former one's place, and an expired one beside it."""
        self.token_file.write_text(TOKEN_FILE)

    def calls(self) -> int:
        """How many calls, of any method, have reached the server."""
        samples = [sample for family in self.metrics.started.collect() for sample in family.samples]
        return round(sum(sample.value for sample in samples if sample.name.endswith("_total")))


@contextmanager
def secured_services(folder: Path, *, mutual: bool = False, reflection: bool = False) -> Iterator[SecuredServices]:
    """Start all five services with their files in `folder`."""
    ours, theirs = Authority.create(folder / "ours"), Authority.create(folder / "theirs")
    client = ours.issue("client") if mutual else None
    (token_file := folder / "token").write_text(FORMER)
    plain = ServerConfig("localhost:0", reflection=reflection, token_file=token_file, drain_seconds=1)
    good, expired = (
        replace(plain, tls=TlsFiles(issued.certificate, issued.key, ours.certificate if mutual else None))
        for issued in (ours.issue("server"), ours.issue("expired-server", expired=True))
    )
    configs = (replace(good, health_address="localhost:0"), expired)
    store, metrics = FolderStore(folder / "store"), Metrics()
    store.check()
    with opened(store, 2) as runtime, in_background(lambda: _started(configs, runtime, metrics)) as servers:
        usual, late = servers
        health_address = str(usual.health_address)
        yield SecuredServices(usual.address, late.address, health_address, token_file, metrics, ours, theirs, client)


@asynccontextmanager
async def _started(
    configs: Sequence[ServerConfig], runtime: Runtime, metrics: Metrics
) -> AsyncIterator[Sequence[Running]]:
    nowhere = EndpointsConfig("localhost:1", "localhost:1", "localhost:1")  # empty requests do not get that far
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(Composition(SERVICES, GenerationConfig(), nowhere).start(runtime))
        yield [await stack.enter_async_context(running(config, services, metrics)) for config in configs]
