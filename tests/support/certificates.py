"""Certificates for tests, made with the openssl command: an authority, and what it issues, expired ones as well."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is needed to make certificates")

# `openssl ca`, since it alone sets the days on which a certificate begins and ends in every version of openssl.
_CONFIG = """\
[ca]
default_ca = test
[test]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
certificate = ca.crt
private_key = ca.key
default_md = sha256
default_days = 2
policy = any
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
"""
_EXPIRED = ("-startdate", "20200101000000Z", "-enddate", "20200102000000Z")
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "ca.cnf")


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """A certificate authority that keeps its files in `folder`."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Authority:
        """Make the authority's own key and certificate."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ca.cnf").write_text(_CONFIG)
        (folder / "index.txt").touch()
        authority = cls(folder)
        authority._openssl("req", "-x509", *_NEW_KEY, "-days", "2", "-subj", "/CN=test CA", "-addext",
                           "basicConstraints=critical,CA:TRUE", "-keyout", "ca.key", "-out", "ca.crt")  # fmt: skip
        return authority

    @property
    def certificate(self) -> Path:
        """What others trust."""
        return self.folder / "ca.crt"

    def issue(self, name: str, *, expired: bool = False, hosts: Sequence[str] = ("localhost",)) -> Issued:
        """Make `name`.crt and `name`.key anew, for a server at these hosts or for a client."""
        names = "subjectAltName=" + ",".join(f"DNS:{host}" for host in hosts)
        self._openssl("req", "-new", *_NEW_KEY, "-subj", f"/CN={name}", "-addext", names,
                      "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
        self._openssl("ca", "-batch", "-notext", "-config", "ca.cnf", *(_EXPIRED if expired else ()),
                      "-in", f"{name}.csr", "-out", f"{name}.crt")  # fmt: skip
        return Issued(self.folder / f"{name}.crt", self.folder / f"{name}.key")

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"expected openssl {arguments[0]} to succeed; it said: {done.stderr}")
