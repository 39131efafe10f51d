"""When an X.509 certificate ends, read from its PEM file: the standard library tells it of connections only."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
# RFC 5280, 4.1.2.5: UTCTime until 2049, GeneralizedTime after; both in UTC and with seconds.
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_EXPLICIT_VERSION = 0xA0


def not_after(pem: bytes) -> datetime:
    """The earliest end of the certificates in these PEM bytes: a chain holds until its first link ends.

    Raises ValueError where there is no certificate, or bytes that are none.
    """
    blocks = _PEM.findall(pem.decode("ascii", errors="replace"))
    if not blocks:
        raise ValueError("expected a PEM certificate, found none")
    return min(_end(ssl.PEM_cert_to_DER_cert(block)) for block in blocks)


def _end(der: bytes) -> datetime:
    """The notAfter of one certificate."""
    try:
        (_, certificate), *_rest = _elements(der)
        (_, signed), *_signature = _elements(certificate)
        fields = list(_elements(signed))
        # Before the validity: version (which the first versions lack), serial number, algorithm, issuer.
        validity = fields[4 if fields[0][0] == _EXPLICIT_VERSION else 3][1]
        _begin, (tag, text) = _elements(validity)
        return _time(tag, text.decode("ascii"))
    except (IndexError, ValueError) as error:
        raise ValueError(f"expected an X.509 certificate, got bytes that are none: {error}") from None


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element that these bytes hold one after the other (X.690, 8.1)."""
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length >= 0x80:  # the long form: how many bytes hold the length
            size = length & 0x7F
            length = int.from_bytes(der[at : at + size])
            at += size
        yield tag, der[at : at + length]
        at += length


def _time(tag: int, text: str) -> datetime:
    if tag not in (_UTC_TIME, _GENERALIZED_TIME):
        raise ValueError(f"expected a time, got the tag {tag:#x}")
    century = ("19" if text[:2] >= "50" else "20") if tag == _UTC_TIME else ""
    return datetime.strptime(f"{century}{text}", "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
