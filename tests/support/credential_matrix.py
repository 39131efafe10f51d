"""Every method of every service with every credential; its table: `python -m tests.support.credential_matrix`."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import biosynth.v1
import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from tests.support.calls import LISTING, code
from tests.support.secured import FORMER, RIGHT, TOKENS, SecuredServices, secured_services

REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
UNKNOWN = "/biosynth.v1.NoSuchService/NoSuchMethod"
NO_MESSAGE = b"\xff"  # cannot be parsed, so that whoever reads it does not answer UNAUTHENTICATED


@dataclass(frozen=True)
class Row:
    """How one method answers: each token over a good connection, and the right token over each bad one."""

    method: str
    by_token: dict[str, grpc.StatusCode]
    by_connection: dict[str, grpc.StatusCode]


def methods() -> list[str]:
    """/service/method of all that biosynth.v1 declares, of health and of reflection, and one that does not exist."""
    modules = [
        importlib.import_module(f"biosynth.v1.{module.name}")
        for module in pkgutil.iter_modules(biosynth.v1.__path__)
        if module.name.endswith("_pb2")
    ]
    declared = [
        f"/{service.full_name}/{method.name}"
        for module in (*modules, health_pb2, reflection_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]
    return [*declared, UNKNOWN]


def matrix(services: SecuredServices) -> list[Row]:
    """Rotate the token, then call every method with every credential."""
    with ExitStack() as open_channels:
        good = open_channels.enter_context(services.connect())
        if (before := code(good, LISTING, FORMER)) is not grpc.StatusCode.OK:
            raise RuntimeError(f"expected the former token to open until it is rotated out, got {before}")
        services.rotate()
        bad = {name: open_channels.enter_context(channel) for name, channel in services.bad_channels().items()}
        return [_row(method, good, bad) for method in methods()]


def _row(method: str, good: grpc.Channel, bad: Mapping[str, grpc.Channel]) -> Row:
    """Calls that must be refused send no valid message: the refusal must come before the request is read."""
    return Row(
        method,
        {name: code(good, method, token, b"" if token == RIGHT else NO_MESSAGE) for name, token in TOKENS.items()},
        {name: code(channel, method, RIGHT) for name, channel in bad.items()},
    )


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a table; the first columns are tokens, the others ways to connect with the right token."""
    columns = [f"token: {name}" for name in rows[0].by_token] + list(rows[0].by_connection)
    lines = [["method", *columns], ["---"] * (len(columns) + 1)]
    for row in rows:
        codes = [*row.by_token.values(), *row.by_connection.values()]
        lines.append([row.method.lstrip("/"), *(found.name for found in codes)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    """Print the matrix of TLS with reflection asked for, and that of mutual TLS without."""
    for title, mutual in (("TLS, token, reflection on", False), ("Mutual TLS, token, reflection off", True)):
        with (
            tempfile.TemporaryDirectory() as folder,
            secured_services(Path(folder), mutual=mutual, reflection=not mutual) as services,
        ):
            sys.stdout.write(f"## {title}\n\n{markdown(matrix(services))}\n\n")


if __name__ == "__main__":
    main()
