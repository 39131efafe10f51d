"""The end of a certificate, beside what openssl says."""

from __future__ import annotations

import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.common.serving.certificates import not_after
from tests.support.certificates import Authority, needs_openssl


def self_signed(path: Path, *options: str) -> bytes:
    command = ["openssl", "req", "-x509", "-nodes", "-subj", "/CN=x", "-keyout", f"{path}.key", "-out", str(path)]
    subprocess.run([*command, *options], check=True, capture_output=True)
    return path.read_bytes()


def as_openssl_says(path: Path) -> float:
    said = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-enddate"], check=True, capture_output=True)
    return ssl.cert_time_to_seconds(said.stdout.decode().strip().removeprefix("notAfter="))


@needs_openssl
@pytest.mark.parametrize("days", ["1", "365", "20000"])  # the last ends after 2049, and so is written otherwise
@pytest.mark.parametrize("key", [("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), ("rsa:2048",)])
def test_the_end_is_the_one_that_openssl_shows(tmp_path: Path, days: str, key: tuple[str, ...]) -> None:
    pem = self_signed(tmp_path / "tls.crt", "-newkey", *key, "-days", days)
    assert not_after(pem).timestamp() == as_openssl_says(tmp_path / "tls.crt")


@needs_openssl
def test_a_chain_ends_with_its_first_link(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    good, expired = authority.issue("good"), authority.issue("expired", expired=True)
    chain = b"a comment\n" + good.certificate.read_bytes() + expired.certificate.read_bytes()
    assert not_after(chain) == datetime(2020, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("pem", [b"", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_bytes_without_a_certificate_are_told(pem: bytes) -> None:
    with pytest.raises(ValueError, match="certificate"):
        not_after(pem)


@needs_openssl
def test_a_cut_certificate_is_told(tmp_path: Path) -> None:
    whole = ssl.PEM_cert_to_DER_cert(self_signed(tmp_path / "tls.crt", "-newkey", "rsa:2048").decode())
    for length in range(0, len(whole) // 2, 7):
        cut = ssl.DER_cert_to_PEM_cert(whole[:length]).encode()
        try:
            assert not_after(cut) == not_after((tmp_path / "tls.crt").read_bytes())  # what is cut comes after the end
        except ValueError:
            continue
