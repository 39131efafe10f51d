"""A way to a server that can be cut, as when the server's process is killed."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def way_to(server: tuple[str, int], host: str) -> Iterator[Callable[[], None]]:
    """Pass connections at host and the server's port on to the server; yields what resets those that are open."""
    ends: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):  # closed at the end
            while True:
                pair = listener.accept()[0], socket.create_connection(server)
                ends.extend(pair)
                for source, target in (pair, pair[::-1]):
                    threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()

    def cut() -> None:
        while ends:
            end = ends.pop()
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, without a farewell
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    with socket.create_server((host, server[1])) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield cut
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            cut()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
