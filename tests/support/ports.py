"""Ports for those who cannot ask for any free one: servers in other processes, and servers that are not there."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

_QUIET = range(12_000, 32_000)  # below those that systems lend to connections and to servers that ask for any port
_CHANCE = random.SystemRandom()  # tests that run at once must not draw the same


def free_ports(number: int) -> list[int]:
    """Ports that were free a moment ago, all different, and that nothing is given by chance before they are used."""
    ports: list[int] = []
    while len(ports) < number:
        port = _CHANCE.choice(_QUIET)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            ports += [port] if port not in ports else []
    return ports
