"""A name server for tests: it says where services are, and the test says it to the name server."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ADDRESS_RECORD, _NO_SUCH_NAME = 1, 3


class Names(dict[str, str]):
    """Address by name; one that is not in here does not exist. address: that of the name server."""

    address: str = ""


@contextmanager
def named(names: dict[str, str]) -> Iterator[Names]:
    """Answer questions about these names by UDP while the context is open."""
    known = Names(names)

    class Handler(socketserver.DatagramRequestHandler):
        def handle(self) -> None:
            self.wfile.write(_answer(self.rfile.read(), known))

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler) as server:
        known.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield known
        finally:
            server.shutdown()
            thread.join()


def _answer(question: bytes, names: dict[str, str]) -> bytes:
    """A reply after RFC 1035, section 4: the question again, and an address of a known name where one is asked for."""
    labels, end = [], 12
    while length := question[end]:
        labels.append(question[end + 1 : end + 1 + length].decode())
        end += 1 + length
    asked, address = question[12 : end + 5], names.get(".".join(labels))
    records = b""
    if address is not None and struct.unpack("!H", question[end + 1 : end + 3])[0] == _ADDRESS_RECORD:
        # The name again (a pointer to byte 12), type, class, seconds to live, length, address.
        records = struct.pack("!HHHIH", 0xC00C, _ADDRESS_RECORD, 1, 1, 4) + socket.inet_aton(address)
    flags = 0x8180 | (_NO_SUCH_NAME if address is None else 0)
    return question[:2] + struct.pack("!5H", flags, 1, 1 if records else 0, 0, 0) + asked + records
