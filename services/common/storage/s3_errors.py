"""Answers of an S3 server as errors of services/common/errors.py; and which are worth another try."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from xml.etree.ElementTree import ParseError

import urllib3
from minio.error import InvalidResponseError, S3Error, ServerError

from services.common.errors import BiosynthError, StoreFull, StoreRefused, StoreUnavailable

T = TypeVar("T")

ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.1
# No new attempt starts later than this after the first, so that a server that never answers is reported within seconds.
_GIVE_UP_SECONDS = 8.0

# MinIO answers IncompleteBody where its disk is full, and its health check still passes.
_FULL = (
    "XMinioStorageFull",
    "InsufficientStorage",
    "QuotaExceeded",
    "XMinioAdminBucketQuotaExceeded",
    "IncompleteBody",
)
_REFUSED = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed", "AccountProblem")
_BUSY = ("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "OperationAborted", "IncompleteBody")
# S3 allows 15 minutes between a request's time and its own; answers to HEAD and to links do not say that this was it.
_CLOCKS_DIFFER_SECONDS = 14 * 60
_BUSY_STATUS = (408, 409, 429, 500, 502, 503, 504)
# Raised by the SDK for an answer that it cannot parse, from something that is no S3 server.
_UNREADABLE = (ValueError, ParseError)


class Answer(Exception):  # noqa: N818 - an answer, which may be the expected one
    """The server answered with an error.

    ahead_seconds: by how much this process's clock is ahead of the one that dated the answer; 0 where none did.
    """

    def __init__(self, status: int, code: str, date: str | None = None) -> None:
        """date: the answer's header of that name."""
        super().__init__(f"{status} {code}".strip())
        self.status = status
        self.code = code
        self.ahead_seconds = _ahead_seconds(date)


_FAILURES = (S3Error, ServerError, InvalidResponseError, Answer, urllib3.exceptions.HTTPError, OSError, *_UNREADABLE)


def with_retries(call: Callable[[], T], bucket: str) -> T:
    """Return `call()`, tried again after connection errors and answers of a busy server.

    Pauses have full jitter (Brooker, AWS, 2015). Raises StoreUnavailable, StoreFull or ConfigError; an `Answer` that
    means none of these is raised as such, for the caller to judge.
    """
    start, attempt = time.monotonic(), 1
    while True:
        try:
            return call()
        except _FAILURES as error:
            late = attempt == ATTEMPTS or time.monotonic() - start > _GIVE_UP_SECONDS
            if late or not _worth_a_try(error):
                raise _in_words(error, bucket) from error
        # Jitter needs no secrecy.
        time.sleep(random.uniform(0, _FIRST_PAUSE_SECONDS * 2**attempt))  # noqa: S311
        attempt += 1


def answer_of(error: Exception) -> Answer | None:
    """Status and code of an answer, from whichever exception has them; None for a failed connection."""
    if isinstance(error, Answer):
        return error
    if isinstance(error, S3Error):
        return Answer(int(error.response.status), str(error.code), error.response.headers.get("date"))
    if isinstance(error, ServerError):
        return Answer(int(error.status_code), "")
    # Not XML: a proxy, or no S3 server at all.
    return Answer(int(error._code), "") if isinstance(error, InvalidResponseError) else None


def _worth_a_try(error: Exception) -> bool:
    answer = answer_of(error)
    if isinstance(error, _UNREADABLE):
        return False
    return answer is None or answer.code in _BUSY or answer.status in _BUSY_STATUS


def _in_words(error: Exception, bucket: str) -> BiosynthError | Answer:
    answer = answer_of(error)
    if isinstance(error, _UNREADABLE):
        return StoreUnavailable(f"expected an S3 server as the object store, got answers of another kind ({error})")
    if isinstance(error, urllib3.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return StoreRefused(
            f"BIOSYNTH_STORE_CA_FILE: expected a store whose certificate the known CAs vouch for, got {_cause(error)}"
        )
    if answer is None:
        return StoreUnavailable(f"the object store does not answer ({_cause(error)}); try again later")
    if answer.code in _FULL or answer.status == 507:
        return StoreFull(f"the object store has no room left ({answer}); free some space and ask again")
    if answer.code in (*_REFUSED, "NoSuchBucket") or answer.status in (401, 403):
        return StoreRefused(_why_refused(answer, bucket))
    if answer.status >= 500 or _worth_a_try(error):
        return StoreUnavailable(f"the object store fails ({answer}); try again later")
    return answer


def _why_refused(answer: Answer, bucket: str) -> str:
    if answer.code == "NoSuchBucket":
        return f"BIOSYNTH_STORE_BUCKET: expected a bucket, got {bucket!r}, which is not there"
    if answer.code == "RequestTimeTooSkewed" or abs(answer.ahead_seconds) > _CLOCKS_DIFFER_SECONDS:
        minutes, way = abs(answer.ahead_seconds) / 60, "ahead" if answer.ahead_seconds > 0 else "behind"
        found = f"one {minutes:.0f} minutes {way}" if answer.ahead_seconds else "another"  # an answer without a date
        return (
            f"expected this service's clock to agree with the object store's, got {found}, which the store refuses "
            f"({answer}); set the clocks right"
        )
    if answer.code == "AccessDenied":
        return (
            f"BIOSYNTH_STORE_BUCKET, BIOSYNTH_STORE_ACCESS_KEY: expected a user with rights in bucket {bucket!r}, got "
            f"{answer}; check the bucket's name and grant s3:GetObject on inputs/*, results/*, datasets/* (and "
            "s3:PutObject where the service writes: deploy/minio/policies) and, on AWS S3, s3:ListBucket, without "
            "which it calls what is absent forbidden"
        )
    return (
        f"BIOSYNTH_STORE_ACCESS_KEY, BIOSYNTH_STORE_SECRET_KEY: expected credentials for bucket {bucket!r}, "
        f"got ones that the store refuses ({answer})"
    )


def _ahead_seconds(date: str | None) -> float:
    try:
        return (datetime.now(UTC) - parsedate_to_datetime(date or "")).total_seconds()
    except (ValueError, TypeError):  # no date, or one without a zone
        return 0.0


def _cause(error: Exception) -> str:
    """The innermost reason, without the addresses of objects that urllib3 puts in front."""
    reason = getattr(error, "reason", None)
    return str(reason if isinstance(reason, Exception) else error).rpartition(">: ")[2].rpartition("): ")[2]
