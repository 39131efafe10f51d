"""Links as the pipeline service gives them out, signed by its own user, against a real MinIO.

What any S3 server makes of single headers is in test_s3_store.py.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3
from biosynth import Client
from biosynth.v1.pipeline_pb2 import CreateDownloadRequest, CreateUploadRequest, CreateUploadResponse

from tests.integration.storage.conftest import MinioWithUsers, each_alone


@pytest.fixture(scope="module")
def client(minio: MinioWithUsers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("s")
    with each_alone(minio, ["pipeline"], folder), Client(f"unix:{folder}/pipeline", timeout_s=60) as client:
        yield client


@dataclass(frozen=True)
class Attempt:
    """One use of a link."""

    url: str
    headers: dict[str, str]
    body: bytes
    method: str = "PUT"

    def status(self) -> int:
        with urllib3.PoolManager(retries=False) as pool:
            return pool.request(self.method, self.url, body=self.body, headers=self.headers).status


@dataclass(frozen=True)
class Upload:
    """A link for bytes that nobody has uploaded yet."""

    data: bytes = field(default_factory=lambda: secrets.token_bytes(100))

    def link(self, client: Client) -> CreateUploadResponse:
        digest = hashlib.sha256(self.data).hexdigest()
        return client.pipeline.CreateUpload(CreateUploadRequest(sha256=digest, size_bytes=100, extension="png"))


def test_an_upload_link_holds_for_fifteen_minutes_and_is_the_pipelines_own(client: Client) -> None:
    link = Upload().link(client)
    query = parse_qs(urlsplit(link.url).query)
    assert query["X-Amz-Expires"] == ["900"]
    assert query["X-Amz-Credential"][0].startswith("biosynth-pipeline/")
    assert 895 < link.expire_time.seconds - time.time() <= 900


# What the holder of a link might try, and how that changes the request.
MISUSES = {
    "another key": lambda right: replace(right, url=right.url.replace(".png", ".tif")),
    "another prefix": lambda right: replace(right, url=right.url.replace("/inputs/", "/datasets/")),
    "another bucket": lambda right: replace(right, url=right.url.replace("/shared/", "/biosynth/")),
    "more bytes": lambda right: replace(right, body=bytes(101), headers=right.headers | {"content-length": "101"}),
    "fewer bytes": lambda right: replace(right, body=bytes(99), headers=right.headers | {"content-length": "99"}),
    "other bytes": lambda right: replace(right, body=bytes(100)),
    "more time": lambda right: replace(right, url=right.url.replace("X-Amz-Expires=900", "X-Amz-Expires=9000")),
    "another user": lambda right: replace(right, url=right.url.replace("biosynth-pipeline", "biosynth-test")),
    "no signature": lambda right: replace(right, url=right.url.partition("?")[0]),
    "reading": lambda right: replace(right, method="GET"),
    "deleting": lambda right: replace(right, method="DELETE"),
    "posting": lambda right: replace(right, method="POST"),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_an_upload_link_is_good_for_nothing_else(client: Client, minio: MinioWithUsers, misuse: str) -> None:
    upload = Upload()
    link = upload.link(client)
    right = Attempt(link.url, dict(link.headers), upload.data)
    assert MISUSES[misuse](right).status() in (400, 403, 405)
    assert minio.store("root").head(link.object.key) is None
    assert right.status() == 200


def test_an_object_that_came_first_is_not_overwritten(client: Client, minio: MinioWithUsers) -> None:
    upload = Upload()
    link = upload.link(client)
    minio.store("root").put(link.object.key, b"first", "image/png")
    assert Attempt(link.url, dict(link.headers), upload.data).status() == 412
    assert minio.store("root").get(link.object.key, 5) == b"first"


def test_a_download_link_reads_one_object_for_fifteen_minutes(client: Client, minio: MinioWithUsers) -> None:
    minio.store("root").put("results/other/link", b"hello", "image/png")
    request = CreateDownloadRequest()
    request.object.key = "results/other/link"
    right = Attempt(client.pipeline.CreateDownload(request).url, {}, b"", "GET")
    assert "X-Amz-Expires=900" in right.url
    assert right.status() == 200
    for wrong in (
        replace(right, url=right.url.replace("/link", "/lin")),
        replace(right, method="PUT", body=b"hello"),
        replace(right, method="DELETE"),
    ):
        assert wrong.status() == 403
    assert right.status() == 200


def test_links_end_with_their_time(minio: MinioWithUsers) -> None:
    store = minio.store("pipeline")
    store.put("inputs/short", b"hello", "image/png")
    upload = store.presign_put("inputs/late", 5, hashlib.sha256(b"hello").hexdigest(), 1)
    attempts = [
        Attempt(store.presign_get("inputs/short", 1), {}, b"", "GET"),
        Attempt(upload.url, dict(upload.headers), b"hello"),
    ]
    time.sleep(2.1)
    assert [attempt.status() for attempt in attempts] == [403, 403]


def test_a_link_gives_no_more_than_its_signer_has(minio: MinioWithUsers) -> None:
    minio.store("root").put("models/secret", b"hello", "x/y")
    store = minio.store("pipeline")
    upload = store.presign_put("results/generate/forged", 5, hashlib.sha256(b"hello").hexdigest(), 60)
    assert Attempt(upload.url, dict(upload.headers), b"hello").status() == 403
    assert Attempt(store.presign_get("models/secret", 60), {}, b"", "GET").status() == 403


def test_an_upload_link_copies_no_other_object_to_its_key(client: Client, minio: MinioWithUsers) -> None:
    root, upload = minio.store("root"), Upload()
    root.put("results/other/secret", b"another's", "image/png")
    link = upload.link(client)
    for extra in ({}, {"x-amz-metadata-directive": "REPLACE"}):
        headers = {**link.headers, "x-amz-copy-source": "/biosynth/results/other/secret", **extra}
        assert Attempt(link.url, headers, b"").status() == 403
        assert Attempt(link.url, headers, upload.data).status() == 403
    assert root.head(link.object.key) is None
    assert Attempt(link.url, dict(link.headers), upload.data).status() == 200


def test_what_was_uploaded_is_served_as_no_page(client: Client) -> None:
    upload = Upload()
    link = upload.link(client)
    assert Attempt(link.url, {**link.headers, "content-type": "text/html"}, upload.data).status() == 403
    assert Attempt(link.url, dict(link.headers), upload.data).status() == 200


def test_a_key_with_characters_that_urls_know_keeps_them(minio: MinioWithUsers) -> None:
    for key in ("inputs/a#1.png", "inputs/a?b=c.png", "inputs/a%2fb +&.png"):
        minio.store("pipeline").put(key, key.encode(), "image/png")
        with urllib3.PoolManager(retries=False) as pool:
            assert pool.request("GET", minio.store("pipeline").presign_get(key, 60)).data == key.encode()
