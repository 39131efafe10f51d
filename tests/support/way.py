"""A way to a server that can be cut, as when the server's process is killed, or held, as when it stalls."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Way:
    """Connections that are passed on."""

    def __init__(self) -> None:
        self._ends: list[socket.socket] = []
        self._flows = threading.Event()
        self._flows.set()

    def cut(self) -> None:
        """Reset those that are open."""
        while self._ends:
            end = self._ends.pop()
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # without a farewell
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def hold(self) -> None:
        """Pass nothing on, and keep all that comes, until `let_go`."""
        self._flows.clear()

    def let_go(self) -> None:
        """Pass on what was held, and all that comes."""
        self._flows.set()

    def join(self, *pair: socket.socket) -> None:
        """Pass on between two ends, both ways."""
        self._ends.extend(pair)
        for source, target in (pair, pair[::-1]):
            threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def way_to(server: tuple[str, int], at: tuple[str, int]) -> Iterator[Way]:
    """Pass connections to `at` on to the server."""
    way = Way()

    def accept() -> None:
        with suppress(OSError):  # closed at the end
            while True:
                way.join(listener.accept()[0], socket.create_connection(server))

    with socket.create_server(at) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield way
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            way.let_go()
            way.cut()
