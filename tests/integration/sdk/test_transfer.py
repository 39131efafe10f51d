"""Upload and download by signed links, against a real HTTP server."""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from biosynth import BiosynthCallError, Client, InvalidInputError, ObjectRef

from services.common.imaging.images import decode_image
from tests.integration.sdk.fakes import ObjectStore, Script, object_store

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
def store(script: Script) -> Iterator[ObjectStore]:
    with object_store() as store:
        script.store_url = store.url
        yield store


@pytest.mark.parametrize("as_path", [False, True])
def test_an_upload_puts_the_bytes_under_their_hash_with_the_links_headers(
    client: Client, store: ObjectStore, script: Script, tmp_path: Path, as_path: bool
) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    ref = client.upload(tmp_path / "a.png" if as_path else PNG)
    sha256 = hashlib.sha256(PNG).hexdigest()
    assert ref == ObjectRef(key=f"inputs/{sha256}.png", sha256=sha256)
    assert store.objects == {f"/{ref.key}": PNG}
    assert (store.headers[0]["if-none-match"], store.headers[0]["x-amz-meta-sha256"]) == ("*", sha256)
    assert script.requests[0].size_bytes == len(PNG)


def test_an_upload_of_what_is_there_sends_nothing_or_is_content_with_it(
    client: Client, store: ObjectStore, script: Script
) -> None:
    first = client.upload(PNG)
    assert client.upload(PNG) == first  # the store answers 412
    script.store_url = ""
    assert client.upload(PNG) == first  # no link at all
    assert len(store.headers) == 2


def test_a_file_over_16_mib_is_uploaded_and_named(client: Client, store: ObjectStore, script: Script) -> None:
    client.segment(PNG + bytes(16 * 1024 * 1024))
    assert script.requests[-1].image.object.key.startswith("inputs/")
    assert len(store.objects) == 1


def test_an_array_that_does_not_shrink_below_16_mib_is_uploaded_as_png(client: Client, store: ObjectStore) -> None:
    noise = np.random.default_rng(0).integers(0, 2**16, (3000, 3000), np.uint16)
    client.segment(noise)
    [(name, data)] = store.objects.items()
    assert name.endswith(".png")
    np.testing.assert_array_equal(decode_image(data), noise)


@pytest.mark.parametrize(
    ("data", "extension"),
    [(b"II*\0....", "tif"), (b"MM\0+....", "tif"), (b"\xff\xd8\xff\xe0", "jpg"), (PNG, "png")],
)
def test_the_extension_follows_the_content(client: Client, script: Script, data: bytes, extension: str) -> None:
    assert client.upload(data).key.endswith(f".{extension}")
    assert script.requests[0].extension == extension


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"%PDF-1.7", "a PDF document; export"),
        (b"ZISRAWFILE", "a CZI file.*the command `biosynth` reads it, with the extra `formats`"),
        (b"hello", "68 65 6c 6c 6f"),
        (b"", "0 bytes"),
    ],
)
def test_another_file_is_refused_before_anything_is_sent(
    client: Client, script: Script, data: bytes, says: str
) -> None:
    with pytest.raises(InvalidInputError, match=f"PNG, TIFF or JPEG file; got .*{says}"):
        client.upload(data)
    assert script.requests == []


def test_a_download_returns_the_bytes_and_checks_their_hash(client: Client, store: ObjectStore) -> None:
    store.objects["/results/a"] = b"abc"
    sha256 = hashlib.sha256(b"abc").hexdigest()
    assert client.download(ObjectRef(key="results/a")) == b"abc"
    assert client.download(ObjectRef(key="results/a", sha256=sha256)) == b"abc"
    with pytest.raises(BiosynthCallError, match=f"SHA256_MISMATCH.*{'0' * 64}.*{sha256}"):
        client.download(ObjectRef(key="results/a", sha256="0" * 64))


def test_a_download_over_the_limit_is_refused(client: Client, store: ObjectStore) -> None:
    store.objects["/results/a"] = b"abc"
    with pytest.raises(BiosynthCallError, match=r"OBJECT_TOO_LARGE.*max_bytes"):
        client.download(ObjectRef(key="results/a"), max_bytes=2)


@pytest.mark.parametrize("sent", [0, 2])
@pytest.mark.parametrize("max_bytes", [3, 100])
def test_a_download_that_breaks_off_is_told_where_no_hash_would_show_it(
    client: Client, store: ObjectStore, sent: int, max_bytes: int
) -> None:
    store.objects["/results/a"], store.lost = b"abc", 3 - sent
    with pytest.raises(
        BiosynthCallError, match=rf"TRANSFER_FAILED.*broke off .*results/a.*{sent} bytes read"
    ) as caught:
        client.download(ObjectRef(key="results/a"), max_bytes=max_bytes)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


def test_an_empty_object_is_downloaded_whole(client: Client, store: ObjectStore) -> None:
    store.objects["/results/a"] = b""
    assert client.download(ObjectRef(key="results/a")) == b""


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (403, grpc.StatusCode.PERMISSION_DENIED),
        (404, grpc.StatusCode.NOT_FOUND),
        (400, grpc.StatusCode.FAILED_PRECONDITION),
        (503, grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_what_the_store_refuses_is_a_typed_error_that_does_not_show_the_link(
    client: Client, store: ObjectStore, answer: int, code: grpc.StatusCode
) -> None:
    store.answer = answer
    for transfer in (lambda: client.upload(PNG), lambda: client.download(ObjectRef(key="results/a"))):
        with pytest.raises(BiosynthCallError, match=f"TRANSFER_FAILED.*HTTP {answer}") as caught:
            transfer()
        assert caught.value.code is code
        assert store.url not in str(caught.value)


def test_a_store_that_is_down_is_unavailable(client: Client, script: Script) -> None:
    script.store_url = "http://127.0.0.1:9"
    with pytest.raises(BiosynthCallError, match=r"UNAVAILABLE TRANSFER_FAILED.*refused"):
        client.upload(PNG)


def test_a_store_that_breaks_an_upload_off_may_have_no_room(client: Client, script: Script) -> None:
    with socket.create_server(("127.0.0.1", 0)) as full:
        script.store_url = f"http://127.0.0.1:{full.getsockname()[1]}"
        thread = threading.Thread(target=_hang_up, args=(full,))
        thread.start()
        with pytest.raises(BiosynthCallError, match=r"UNAVAILABLE TRANSFER_FAILED.*broke off .* no room left"):
            client.upload(PNG + bytes(32 * 1024 * 1024))
        thread.join()


def _hang_up(server: socket.socket) -> None:
    """Read the beginning of a request and reset the connection, as MinIO does with a full disk."""
    connection, _ = server.accept()
    connection.recv(1000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_a_link_that_is_no_http_is_not_followed(client: Client, script: Script) -> None:
    script.store_url = "file:///etc"
    with pytest.raises(BiosynthCallError, match="UNEXPECTED_REPLY"):
        client.download(ObjectRef(key="passwd"))
