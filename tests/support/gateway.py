"""The gateway as it ships, nginx with the configuration of deploy/gateway, on this machine's loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3

from tests.support.certificates import Authority, Issued
from tests.support.ports import free_ports

_START = Path(__file__).parents[2] / "deploy" / "gateway" / "start.sh"
needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is needed to run the gateway")


@dataclass(frozen=True)
class Gateway:
    """A running gateway: its address, the file of its log, and the URL of what probes and Prometheus ask."""

    address: str
    log: Path
    health: str


@contextmanager
def gateway(
    folder: Path, port: int, names: str, authority: Authority, own: Issued, services_port: int, *, mutual: bool
) -> Iterator[Gateway]:
    """Run the gateway on localhost:`port`, before services at NAME.test:`services_port`.

    names: the name server's address. own: the gateway's certificate.
    """
    (tls := folder / "tls").mkdir(parents=True)
    for source, name in ((own.certificate, "tls.crt"), (own.key, "tls.key"), (authority.certificate, "ca.crt")):
        shutil.copy(source, tls / name)
    [health] = free_ports(1)
    environment = {
        "PATH": f"/usr/sbin:/usr/bin:/bin:{Path(str(shutil.which('nginx'))).parent}",
        "GATEWAY_ADDRESS": f"127.0.0.1:{port}",
        "GATEWAY_HEALTH_ADDRESS": f"127.0.0.1:{health}",
        "GATEWAY_SUFFIX": f".test:{services_port}",
        "GATEWAY_RESOLVER": names,
        "GATEWAY_TLS": str(tls),
        "GATEWAY_FOLDER": str(folder),
        "GATEWAY_VERIFY_CLIENT": "on" if mutual else "off",
    }
    log = folder / "log"
    # nginx that root starts would leave its files to another user, who cannot read ours.
    command = [str(_START), *(["-g", "user root;"] if os.geteuid() == 0 else [])]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, env=environment) as process:
        try:
            _wait(f"http://127.0.0.1:{health}/healthz", log)
            yield Gateway(f"localhost:{port}", log, f"http://127.0.0.1:{health}")
        finally:
            process.terminate()


def _wait(url: str, log: Path) -> None:
    for _ in range(100):
        try:
            if urllib3.request("GET", url, retries=False, timeout=1.0).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())
