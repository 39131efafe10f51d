"""What only an S3 server can show: credentials, links, servers that are away, full, slow or lose answers."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3

from services.common.errors import (
    BiosynthError,
    ConfigError,
    InvalidArgument,
    ObjectNotFound,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from services.common.storage.config import StoreConfig
from services.common.storage.s3 import S3Store
from tests.support.ports import free_ports

SHA256 = hashlib.sha256(b"hello").hexdigest()
NOWHERE = StoreConfig("http://127.0.0.1:1", "http://127.0.0.1:1", "bucket", "us-east-1", "key", "secret")


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"secret_key": "wrong"}, "BIOSYNTH_STORE_SECRET_KEY: expected credentials"),
        ({"access_key": "wrong"}, "BIOSYNTH_STORE_ACCESS_KEY"),
        ({"bucket": "absent"}, "BIOSYNTH_STORE_BUCKET: expected a bucket, got 'absent'"),
    ],
    ids=["secret", "account", "bucket"],
)
def test_wrong_settings_are_named(s3_config: StoreConfig, wrong: dict[str, str], message: str) -> None:
    store = S3Store(replace(s3_config, **wrong))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        store.check()
    with pytest.raises(ConfigError, match=message):
        store.put("results/a", b"hello", "x/y")
    with pytest.raises(ConfigError):
        store.get("results/a", 10)


def test_no_secret_is_shown(s3_config: StoreConfig) -> None:
    assert s3_config.secret_key not in repr(s3_config)
    assert s3_config.access_key not in repr(s3_config)


def test_an_upload_link_takes_the_bytes_it_was_made_for(
    s3_config: StoreConfig, http: urllib3.PoolManager, prefix: str
) -> None:
    store = S3Store(s3_config)
    link = store.presign_put(f"{prefix}/a b.png", 5, SHA256, 60)
    assert http.request("PUT", link.url, body=b"hello", headers=dict(link.headers)).status == 200
    stored = store.head(f"{prefix}/a b.png")
    assert stored is not None
    assert (stored.sha256, stored.size) == (SHA256, 5)
    assert store.get(stored.key, 5) == b"hello"
    # The first writer wins here as well.
    assert http.request("PUT", link.url, body=b"hello", headers=dict(link.headers)).status == 412


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (b"hellp", {}),
        (b"hello!", {"content-length": "6"}),
        (b"hello", {"if-none-match": None}),
        (b"hellp", {"x-amz-checksum-sha256": None}),
        (b"hello", {"x-amz-meta-sha256": "0" * 64}),
    ],
    ids=["other bytes", "more bytes", "no condition", "no checksum", "another sha256"],
)
def test_an_upload_link_takes_nothing_else(
    s3_config: StoreConfig, http: urllib3.PoolManager, prefix: str, body: bytes, changes: dict[str, str | None]
) -> None:
    store = S3Store(s3_config)
    link = store.presign_put(f"{prefix}/a", 5, SHA256, 60)
    headers = {name: value for name, value in {**link.headers, **changes}.items() if value is not None}
    assert http.request("PUT", link.url, body=body, headers=headers).status in (400, 403)
    assert store.head(f"{prefix}/a") is None


def test_an_upload_link_holds_for_one_key_and_a_short_time(
    s3_config: StoreConfig, http: urllib3.PoolManager, prefix: str
) -> None:
    store = S3Store(s3_config)
    link = store.presign_put(f"{prefix}/a", 5, SHA256, 1)
    other = link.url.replace(f"{prefix}/a", f"{prefix}/b")
    assert http.request("PUT", other, body=b"hello", headers=dict(link.headers)).status == 403
    time.sleep(2.1)
    assert http.request("PUT", link.url, body=b"hello", headers=dict(link.headers)).status == 403
    assert list(store.list(prefix)) == []


def test_a_download_link_gives_one_object(s3_config: StoreConfig, http: urllib3.PoolManager, prefix: str) -> None:
    store = S3Store(s3_config)
    store.put(f"{prefix}/ü a", b"hello", "image/png")
    store.put(f"{prefix}/b", b"other", "image/png")
    link = store.presign_get(f"{prefix}/ü a", 60)
    answer = http.request("GET", link)
    assert (answer.status, answer.data, answer.headers["content-type"]) == (200, b"hello", "image/png")
    assert http.request("PUT", link, body=b"x").status == 403
    assert http.request("GET", link.partition("?")[0]).status == 403


def test_an_object_that_another_tool_put_has_its_sha256_computed(s3_config: StoreConfig, prefix: str) -> None:
    store = S3Store(s3_config)
    with urllib3.PoolManager(retries=False) as pool:
        url = store._link("PUT", s3_config.endpoint, f"{prefix}/a", {}, 60)
        assert pool.request("PUT", url, body=b"hello").status == 200
    stored = store.head(f"{prefix}/a")
    assert stored is not None
    assert (stored.sha256, stored.size) == (SHA256, 5)


def test_more_keys_than_a_page_are_listed_once_each(
    s3_config: StoreConfig, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.common.storage.s3._PAGE", 3)
    store = S3Store(s3_config)
    keys = [f"{prefix}/{number}" for number in range(8)]
    for key in keys:
        store.put(key, b"", "x/y")
    assert list(store.list(prefix)) == keys


@pytest.mark.parametrize(
    ("seconds", "size", "sha256"), [(0, 5, SHA256), (901, 5, SHA256), (60, -1, SHA256), (60, 5, "x")]
)
def test_links_without_sense_are_refused(seconds: int, size: int, sha256: str) -> None:
    with pytest.raises(InvalidArgument, match="expected a"):
        S3Store(NOWHERE).presign_put("inputs/a", size, sha256, seconds)


def test_links_are_signed_for_the_public_address() -> None:
    store = S3Store(replace(NOWHERE, public_endpoint="https://images.example"))
    assert store.presign_get("inputs/a", 60).startswith("https://images.example/bucket/inputs/a?")


def test_a_server_that_is_away_is_told_within_seconds() -> None:
    (port,) = free_ports(1)
    _expect_unavailable(replace(NOWHERE, endpoint=f"http://127.0.0.1:{port}"), "does not answer")


def test_a_server_that_swallows_requests_is_told_within_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        _expect_unavailable(replace(NOWHERE, endpoint=endpoint, read_seconds=0.1), "does not answer")


def test_a_name_that_nobody_knows_is_told_within_seconds() -> None:
    _expect_unavailable(replace(NOWHERE, endpoint="http://store.invalid:9000"), "does not answer")


def test_a_busy_server_is_asked_again() -> None:
    with _answering(_error(503, "SlowDown"), _error(500, "InternalError"), (200, b"")) as (endpoint, seen):
        store = S3Store(replace(NOWHERE, endpoint=endpoint))
        assert store.put("results/a", b"hello", "x/y").sha256 == SHA256
    assert len(seen) == 3


def test_a_server_that_stays_busy_is_unavailable() -> None:
    with _answering(*[_error(503, "SlowDown")] * 9) as (endpoint, seen):
        with pytest.raises(StoreUnavailable, match="503 SlowDown"):
            S3Store(replace(NOWHERE, endpoint=endpoint)).put("results/a", b"hello", "x/y")
        assert len(seen) == 4


@pytest.mark.parametrize(
    ("status", "code"), [(507, "XMinioStorageFull"), (400, "IncompleteBody"), (400, "QuotaExceeded")]
)
def test_a_full_server_is_told_as_such(status: int, code: str) -> None:
    with (
        _answering(*[_error(status, code)] * 9) as (endpoint, _),
        pytest.raises(StoreFull, match="no room left"),
    ):
        S3Store(replace(NOWHERE, endpoint=endpoint)).put("results/a", b"hello", "x/y")


@pytest.mark.parametrize(
    ("minutes", "message"),
    [(-20, "20 minutes ahead"), (20, "20 minutes behind"), (-5, "expected a user with rights")],
)
def test_a_clock_that_is_wrong_is_told_where_the_answer_only_says_forbidden(minutes: int, message: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    forbidden = (403, b"", {"date": date})  # as MinIO answers HEAD; a link's answer says AccessDenied too
    denied = (403, b"<Error><Code>AccessDenied</Code></Error>", {"date": date})
    with _answering(forbidden, denied) as (endpoint, _):
        store = S3Store(replace(NOWHERE, endpoint=endpoint))
        with pytest.raises(StoreRefused, match=message):
            store.head("results/a")
        with pytest.raises(StoreRefused, match=message):
            store.put("results/a", b"hello", "x/y")


def test_a_clock_that_is_wrong_is_told_where_the_answer_has_no_date() -> None:
    with (
        _answering(_error(403, "RequestTimeTooSkewed")) as (endpoint, _),
        pytest.raises(StoreRefused, match="clock to agree with the object store's, got another, which"),
    ):
        S3Store(replace(NOWHERE, endpoint=endpoint)).put("results/a", b"hello", "x/y")


def test_a_retry_that_meets_its_own_object_is_no_conflict() -> None:
    # The first answer is lost; the second says that the object exists, the third describes it.
    head = (200, b"", {"x-amz-meta-sha256": SHA256, "content-length": "5", "last-modified": _DATE})
    with _answering(None, _error(412, "PreconditionFailed"), head) as (endpoint, seen):
        stored = S3Store(replace(NOWHERE, endpoint=endpoint)).put("results/a", b"hello", "x/y")
        assert (stored.sha256, stored.size) == (SHA256, 5)
    assert seen == ["PUT", "PUT", "HEAD"]


def test_a_download_that_breaks_off_is_asked_for_again() -> None:
    short = (200, b"hel", {"content-length": "5"})
    with _answering(short, (200, b"hello", {"content-length": "5"})) as (endpoint, _):
        assert S3Store(replace(NOWHERE, endpoint=endpoint)).get("results/a", 9) == b"hello"


def test_a_web_server_that_is_no_store_is_told_as_unavailable() -> None:
    page = (200, b"<html>hello</html>", {"content-type": "text/html"})
    with _answering(*[page] * 9) as (endpoint, _), pytest.raises(BiosynthError, match="BIOSYNTH_STORE_ENDPOINT"):
        S3Store(replace(NOWHERE, endpoint=endpoint)).check()


def test_a_web_page_that_says_not_found_is_no_empty_store() -> None:
    page = (404, b"<html>not found</html>", {"content-type": "text/html"})
    with _answering(page) as (endpoint, _), pytest.raises(StoreUnavailable, match=f"another kind.*404.*{endpoint}"):
        S3Store(replace(NOWHERE, endpoint=endpoint)).check()


def test_the_check_reads_one_absent_key_and_lists_nothing() -> None:
    with _answering(_error(404, "NoSuchKey")) as (endpoint, seen):
        S3Store(replace(NOWHERE, endpoint=endpoint)).check()
        assert seen == ["GET"]


def test_a_store_that_calls_absent_keys_forbidden_is_told_what_to_grant() -> None:
    # As AWS does to users without s3:ListBucket.
    with (
        _answering(_error(403, "AccessDenied")) as (endpoint, _),
        pytest.raises(ConfigError, match=f"grant s3:GetObject on .* and, on AWS S3, s3:ListBucket.*{endpoint}"),
    ):
        S3Store(replace(NOWHERE, endpoint=endpoint)).check()


@pytest.mark.parametrize("bucket", ["", "Upper", "a", "under_score", "-dash", "../up"])
def test_a_name_that_no_bucket_has_is_a_matter_of_configuration(bucket: str) -> None:
    with pytest.raises(ConfigError, match="BIOSYNTH_STORE_BUCKET: expected 3 to 63"):
        S3Store(replace(NOWHERE, bucket=bucket))


@pytest.mark.parametrize("endpoint", ["", "localhost:9000", "http://", "ftp://store:9000", "http://store:9000/path"])
def test_what_is_no_address_is_a_matter_of_configuration(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="BIOSYNTH_STORE_ENDPOINT: expected http"):
        S3Store(replace(NOWHERE, endpoint=endpoint))


def test_a_missing_object_costs_one_request() -> None:
    with _answering(_error(404, "NoSuchKey")) as (endpoint, seen):
        with pytest.raises(ObjectNotFound):
            S3Store(replace(NOWHERE, endpoint=endpoint)).get("results/a", 9)
        assert seen == ["GET"]


_DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
_Reply = tuple[int, bytes] | tuple[int, bytes, dict[str, str]] | None


def _error(status: int, code: str) -> _Reply:
    return (
        status,
        f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode(),
        {"content-type": "application/xml"},
    )


def _expect_unavailable(config: StoreConfig, message: str) -> None:
    calls: list[Callable[[S3Store], object]] = [
        lambda store: store.check(),
        lambda store: store.get("results/a", 9),
        lambda store: store.put("results/a", b"hello", "x/y"),
    ]
    for call in calls:
        start = time.monotonic()
        with pytest.raises(StoreUnavailable, match=message):
            call(S3Store(config))
        assert time.monotonic() - start < 8


@contextmanager
def _answering(*replies: _Reply) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers in turn; None hangs up. Yields its address, and what it was asked."""
    left, seen = list(replies), list[str]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            self.rfile.read(int(self.headers.get("content-length", 0)))
            seen.append(self.command)
            reply = left.pop(0) if left else None
            self.close_connection = True
            if reply is None:
                return
            status, body, headers = (*reply, {}) if len(reply) == 2 else reply
            self.send_response_only(status)  # without a date of its own
            for name, value in {"content-length": str(len(body)), "connection": "close", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()
