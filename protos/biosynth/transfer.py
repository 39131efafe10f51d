"""Files to and from the store over HTTP, by the links that the pipeline service signs."""

from __future__ import annotations

import hashlib
import http.client
import io
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import grpc

from biosynth import contract
from biosynth.errors import BiosynthCallError, InvalidInputError

Reader: TypeAlias = io.BytesIO | io.BufferedReader

_CODES = {
    401: grpc.StatusCode.PERMISSION_DENIED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    507: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


def open_source(source: bytes | Path) -> Reader:
    """The source as a file to read."""
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def size_of(source: bytes | Path) -> int:
    """Number of bytes."""
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def sha256_of(source: bytes | Path) -> str:
    """SHA-256 of the bytes, lower-case hex; a file is read in pieces."""
    with open_source(source) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def extension_of(source: bytes | Path) -> str:
    """`png`, `tif` or `jpg`, by the first bytes. Raises InvalidInputError for any other file."""
    with open_source(source) as file:
        head = file.read(contract.FOREIGN_BYTES)
    extension = contract.extension_of(head)
    if extension is None:
        raise InvalidInputError(f"expected a PNG, TIFF or JPEG file; got {contract.described(head)}")
    return extension


def put(url: str, headers: Mapping[str, str], source: bytes | Path, key: str, timeout_s: float) -> None:
    """Send the bytes. An object that is there already counts as sent: its key derives from its content."""
    with open_source(source) as file:
        request = _request(url, key, data=file, method="PUT")
        for name, value in {"Content-Length": str(size_of(source)), **headers}.items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=timeout_s):  # noqa: S310 - the scheme is checked
                return
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 412:  # Precondition Failed, by If-None-Match: it is there already
                    raise _failed("upload", key, error.code) from None
        except (OSError, http.client.HTTPException) as error:
            raise _failed("upload", key, error) from None


def get(url: str, key: str, max_bytes: int, timeout_s: float) -> bytes:
    """Receive at most `max_bytes`. Raises BiosynthCallError for more, or where the store refuses or breaks off."""
    try:
        with urllib.request.urlopen(_request(url, key), timeout=timeout_s) as response:  # noqa: S310
            data: bytes = response.read(max_bytes + 1)
            left: int = response.length or 0  # of Content-Length; reading a number of bytes ends early without an error
            if left and len(data) <= max_bytes:
                raise http.client.IncompleteRead(data, left)
    except urllib.error.HTTPError as error:
        with error:
            raise _failed("download", key, error.code) from None
    except (OSError, http.client.HTTPException) as error:
        raise _failed("download", key, error) from None
    if len(data) > max_bytes:
        text = f"{key} has more than the {max_bytes} bytes that this download accepts; allow more with max_bytes"
        raise BiosynthCallError(grpc.StatusCode.RESOURCE_EXHAUSTED, text, "OBJECT_TOO_LARGE")
    return data


def _request(url: str, key: str, data: Reader | None = None, method: str = "GET") -> urllib.request.Request:
    if not url.startswith(("http://", "https://")):
        text = f"expected a link by http or https for {key}; got another scheme"
        raise BiosynthCallError(grpc.StatusCode.INTERNAL, text, "UNEXPECTED_REPLY")
    return urllib.request.Request(url, data=data, method=method)  # noqa: S310 - checked above


def _failed(what: str, key: str, cause: int | Exception) -> BiosynthCallError:
    """The error of a transfer; it never shows the link, which grants access until it expires."""
    if isinstance(cause, int):
        code = _CODES.get(cause, grpc.StatusCode.UNAVAILABLE if cause >= 500 else grpc.StatusCode.FAILED_PRECONDITION)
        return BiosynthCallError(code, f"the store refused the {what} of {key} with HTTP {cause}", "TRANSFER_FAILED")
    reason = getattr(cause, "reason", cause)
    text = f"the store does not answer the {what} of {key}: {reason}"
    if isinstance(reason, http.client.IncompleteRead):
        text = f"the store broke off the {what} of {key}: {reason}"
    if what == "upload" and isinstance(reason, BrokenPipeError | ConnectionResetError):
        # MinIO with a full disk answers before the body and closes; while that is being sent, the answer is lost.
        text = f"the store broke off the upload of {key} ({reason}); one that has no room left does so"
    return BiosynthCallError(grpc.StatusCode.UNAVAILABLE, text, "TRANSFER_FAILED")
