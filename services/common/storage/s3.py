"""A bucket of an S3 server as the store: MinIO as deployed, or any other."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import certifi
import urllib3
from biosynth.contract import LINK_SECONDS, is_sha256
from minio import Minio

from services.common.errors import ConfigError, InvalidArgument, ObjectNotFound, ObjectTooLarge, StoreUnavailable
from services.common.steps import step
from services.common.storage.config import StoreConfig
from services.common.storage.keys import check_key
from services.common.storage.s3_errors import Answer, with_retries
from services.common.storage.sigv4 import Signer
from services.common.storage.store import PresignedRequest, StoredObject
from services.common.storage.store_keys import StoreKeys

T = TypeVar("T")

# S3's limit for an object that is put in one request.
_MAX_SINGLE_PUT = 5 * 1024**3
_PAGE = 1000
_PIECE = 1 << 20
_META = "x-amz-meta-sha256"
# A key that is never written: results are in folders by operation.
_ABSENT = "results/absent"
_ERROR_CODE = re.compile(rb"<Code>([^<]+)</Code>")


class S3Store:
    """Objects of one bucket, with their SHA-256 as metadata. Safe between threads, not across a fork.

    Writes are single conditional puts (If-None-Match: *), never multipart: the SDK turns that header into metadata
    and overwrites, so puts go through links that we sign ourselves.
    """

    def __init__(self, config: StoreConfig) -> None:
        """Raises ConfigError for a CA's file that cannot be read; does not contact the server."""
        self._config = config
        self._keys = StoreKeys(config)
        # The SDK's own pool waits 300 s and tries five times: half an hour for a server that never answers.
        self._http = urllib3.PoolManager(
            num_pools=4,
            maxsize=config.connections,
            timeout=urllib3.Timeout(connect=config.connect_seconds, read=config.read_seconds),
            retries=False,
            ssl_context=_trust(config.ca_file),
        )
        address = urlsplit(config.endpoint)
        self._client = Minio(
            address.netloc,
            credentials=self._keys,
            secure=address.scheme == "https",
            region=config.region,  # else the SDK asks for it, which least-privilege users may not
            http_client=self._http,
        )

    @step("store_get")
    def get(self, key: str, max_bytes: int) -> bytes:
        """See Store.get."""
        check_key(key)
        try:
            return self._try(lambda: self._download(key, max_bytes))
        except Answer as answer:
            if answer.status == 404:
                raise ObjectNotFound(f"expected an object, got none under {key!r}", asked=key) from answer
            raise _unexpected(answer, key) from answer

    @step("store_put")
    def put(self, key: str, data: bytes, content_type: str) -> StoredObject:
        """See Store.put. Raises ObjectTooLarge above 5 GiB, what one request may carry."""
        check_key(key)
        if len(data) > _MAX_SINGLE_PUT:
            raise ObjectTooLarge(f"expected an object of at most {_MAX_SINGLE_PUT} bytes, got {key!r} of {len(data)}")
        sha256 = hashlib.sha256(data).hexdigest()
        headers = {**_upload_headers(len(data), sha256), "content-type": content_type}
        try:
            self._try(lambda: self._upload(key, data, headers))
        except Answer as answer:
            if answer.status != 412:
                raise _unexpected(answer, key) from answer
            # Somebody was faster, or the answer to our own first attempt was lost: either way the object is there.
            if (existing := self.head(key)) is not None:
                return existing
            raise StoreUnavailable(f"{key!r} was deleted while it was written; ask again") from answer
        return StoredObject(key, sha256, len(data))

    @step("store_head")
    def head(self, key: str) -> StoredObject | None:
        """See Store.head. Objects that other tools put, without our SHA-256, are read to compute it."""
        check_key(key)
        try:
            found = self._try(lambda: self._client.stat_object(self._config.bucket, key))
            sha256 = (found.metadata or {}).get(_META) or self._try(lambda: self._hash(key))
        except Answer as answer:
            if answer.status == 404:
                return None
            raise _unexpected(answer, key) from answer
        return StoredObject(key, str(sha256), int(found.size or 0))

    def list(self, prefix: str) -> Iterator[str]:
        """See Store.list."""
        last: str | None = None
        while True:
            page = self._page(prefix, last)
            yield from page
            if len(page) < _PAGE:
                return
            last = page[-1]

    def check(self) -> None:
        """See Store.check."""
        try:
            self._read_nothing()
        except (ConfigError, StoreUnavailable) as error:
            # For whoever starts the service; messages to callers leave the address out.
            raise type(error)(f"{error.message} (BIOSYNTH_STORE_ENDPOINT: {self._config.endpoint})") from error

    def _read_nothing(self) -> None:
        """Read a key that is absent; only the answer that says so will do.

        Every service may read, while few may list or look at the bucket; and unlike HEAD's, the answer to GET has a
        body, which tells a wrong secret from an absent bucket and an S3 server from something else.
        """
        came: Exception = Answer(200, "")
        try:
            self._try(lambda: self._download(_ABSENT, 0))
        except (Answer, ObjectTooLarge) as error:
            came = error
        if not isinstance(came, Answer) or came.code != "NoSuchKey":
            raise StoreUnavailable(
                f"expected an S3 server as the object store, got answers of another kind ({came}); "
                "look at the host and the port, and whether it speaks http or https"
            )

    def presign_put(self, key: str, size: int, sha256: str, seconds: int) -> PresignedRequest:
        """See Store.presign_put. Size, content and the condition are signed: the server refuses anything else."""
        check_key(key)
        if not 0 <= size <= _MAX_SINGLE_PUT or not is_sha256(sha256):
            raise InvalidArgument(f"expected a size up to {_MAX_SINGLE_PUT} and 64 hex digits, got {size}, {sha256!a}")
        # Signed too: downloads have the type that the uploader named, which could be a web page with a script.
        headers = {**_upload_headers(size, sha256), "content-type": "application/octet-stream"}
        return PresignedRequest(self._link("PUT", self._config.public_endpoint, key, headers, seconds), headers)

    def presign_get(self, key: str, seconds: int) -> str:
        """See Store.presign_get."""
        check_key(key)
        return self._link("GET", self._config.public_endpoint, key, {}, seconds)

    def _try(self, call: Callable[[], T]) -> T:
        return with_retries(call, self._config.bucket)

    def _link(self, method: str, endpoint: str, key: str, headers: dict[str, str], seconds: int) -> str:
        if not 1 <= seconds <= LINK_SECONDS:
            raise InvalidArgument(f"expected a link of 1 to {LINK_SECONDS} seconds, got {seconds}")
        path = f"/{self._config.bucket}/{key}"
        keys = self._keys.retrieve()
        signer = Signer(keys.access_key, keys.secret_key, self._config.region)
        return signer.presign(method, endpoint, path, headers, seconds, datetime.now(UTC))

    def _upload(self, key: str, data: bytes, headers: dict[str, str]) -> None:
        # As long as S3 lets clocks differ: a shorter link would fail where reading still works.
        url = self._link("PUT", self._config.endpoint, key, headers, LINK_SECONDS)
        response = self._http.request("PUT", url, body=data, headers=headers, redirect=False)
        if response.status != 200:
            code = _ERROR_CODE.search(response.data)
            raise Answer(
                response.status, code[1].decode("ascii", "replace") if code else "", response.headers.get("date")
            )

    def _download(self, key: str, max_bytes: int) -> bytes:
        response: Any = self._client.get_object(self._config.bucket, key)
        try:
            size = int(response.headers.get("content-length", -1))
            if size > max_bytes:
                raise ObjectTooLarge(
                    f"expected an object of at most {max_bytes} bytes, got {key!r} of {size}",
                    got=size,
                    limit=max_bytes,
                )
            data: bytes = response.read(max_bytes + 1)
        finally:
            # A connection with unread bytes cannot be used again.
            response.close()
            response.release_conn()
        if len(data) != size:
            raise urllib3.exceptions.IncompleteRead(len(data), size - len(data))
        return data

    def _hash(self, key: str) -> str:
        response: Any = self._client.get_object(self._config.bucket, key)
        try:
            digest = hashlib.sha256()
            for piece in response.stream(_PIECE):
                digest.update(piece)
        finally:
            response.close()
            response.release_conn()
        return digest.hexdigest()

    def _page(self, prefix: str, last: str | None) -> tuple[str, ...]:
        def fetch() -> tuple[str, ...]:
            found = self._client.list_objects(self._config.bucket, prefix, recursive=True, start_after=last)
            return tuple(str(entry.object_name) for entry in itertools.islice(found, _PAGE))

        try:
            return self._try(fetch)
        except Answer as answer:
            raise _unexpected(answer, prefix) from answer


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or certifi.where())
    except OSError as error:
        raise ConfigError(
            f"BIOSYNTH_STORE_CA_FILE: expected certificates of CAs in PEM, got {ca_file} ({error.strerror})"
        ) from error


def _upload_headers(size: int, sha256: str) -> dict[str, str]:
    return {
        "content-length": str(size),
        "if-none-match": "*",
        # Servers check this one over http and https; not all of them accept x-amz-content-sha256 in links.
        "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
        _META: sha256,
    }


def _unexpected(answer: Answer, key: str) -> Exception:
    return StoreUnavailable(f"the object store answered {answer} for {key!r}; its log says more")
