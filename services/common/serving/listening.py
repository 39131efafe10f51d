"""Addresses that a server listens on."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import grpc.aio

from services.common.errors import ConfigError
from services.common.serving.auth import server_credentials
from services.common.serving.config import ServerConfig

_UNIX_PATH_BYTES = 103  # sun_path of macOS, less its final NUL; Linux has 107, but one limit is easier to remember


def bind(server: grpc.aio.Server, config: ServerConfig, variable: str = "BIOSYNTH_ADDRESS") -> str:
    """Bind the server; returns the address with the port that it got. Raises ConfigError, naming `variable`."""
    if config.address.startswith("unix:"):
        prepare_socket(Path(config.address.removeprefix("unix:")))
    try:
        if config.tls is None:
            port = server.add_insecure_port(config.address)
        else:
            port = server.add_secure_port(config.address, server_credentials(config.tls))
    except RuntimeError:
        raise ConfigError(
            f"{variable}: cannot listen on {config.address}; is it in use, or not this machine's?"
        ) from None
    return config.address if config.address.startswith("unix:") else f"{host(config.address)}:{port}"


def host(address: str) -> str:
    """The host of host:port, in brackets where it is IPv6; of a Unix socket, the loopback."""
    return "127.0.0.1" if address.startswith("unix:") else address.rpartition(":")[0]


def prepare_socket(path: Path) -> None:
    """Make the socket's folder one that only this user can enter, and see that nobody listens there.

    Raises ConfigError where the folder is open to others or another server answers. gRPC replaces a stale socket.
    """
    if (size := len(os.fsencode(path))) > _UNIX_PATH_BYTES:
        raise ConfigError(
            f"expected a Unix socket's path of at most {_UNIX_PATH_BYTES} bytes, got {size}: {path}; choose a "
            "shorter one in BIOSYNTH_ADDRESS, or in TMPDIR where the socket lies in a temporary folder"
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.parent.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ConfigError(
            f"BIOSYNTH_ADDRESS: expected a folder that only this user can enter (mode 0700), got {path.parent} "
            f"with mode {status.st_mode & 0o777:04o} of user {status.st_uid}"
        )
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(os.fspath(path)) == 0:
            raise ConfigError(f"BIOSYNTH_ADDRESS: another server listens on {path}; end it or choose another path")
