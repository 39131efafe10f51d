"""The examples of docs/calling.md, by its own commands, against `biosynth serve` with TLS, a token and an S3 store."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.imaging.images import decode_image, encode_png
from tests.integration.cli.test_command_line import Cli
from tests.support import s3_servers
from tests.support.certificates import Authority, needs_openssl
from tests.support.pictures import nuclei_picture
from tests.support.ports import free_ports
from tests.support.processes import serving

pytestmark = needs_openssl
ROOT = Path(__file__).parents[3]
GRPCURL = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4"
NEEDED = {"grpcurl": ("go", "jq", "curl"), "go": ("go",), "node": ("node", "npm")}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """All services on one address, and the variables with which the examples find it."""
    folder = tmp_path_factory.mktemp("served")
    authority = Authority.create(folder / "tls")
    server = authority.issue("server")
    (token := folder / "token").write_text("a-token-for-a-test\n")
    address = f"localhost:{free_ports(1)[0]}"
    with s3_servers.seaweedfs(tmp_path_factory.mktemp("weed")) as store:
        settings = {
            "BIOSYNTH_ADDRESS": address,
            **store.settings,
            "BIOSYNTH_TLS_CERT_FILE": str(server.certificate),
            "BIOSYNTH_TLS_KEY_FILE": str(server.key),
            "BIOSYNTH_TOKEN_FILE": str(token),
            "BIOSYNTH_DRAIN_SECONDS": "1",
        }
        with serving(["services.cli", "serve"], {**Cli(folder).environment, **settings}):
            yield {
                **os.environ,
                "BIOSYNTH_ENDPOINT": address,
                "BIOSYNTH_ENDPOINT_CA_FILE": str(authority.certificate),
                "BIOSYNTH_ENDPOINT_TOKEN_FILE": str(token),
            }


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH with grpcurl; Go keeps what it builds in its own caches, so a second build is quick."""
    folder = tmp_path_factory.mktemp("tools")
    if shutil.which("go"):
        subprocess.run(["go", "install", GRPCURL], env={**os.environ, "GOBIN": str(folder)}, check=True, timeout=600)
    return folder


@pytest.mark.parametrize("name", NEEDED)
def test_an_example_goes_both_ways_and_explains_refusals(
    name: str, environment: dict[str, str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if lacking := [tool for tool in NEEDED[name] if shutil.which(tool) is None]:
        pytest.skip(f"{', '.join(lacking)} not here")
    if name == "grpcurl":
        tools = str(request.getfixturevalue("tools"))
        environment = {**environment, "PATH": os.pathsep.join([tools, environment["PATH"]])}
    mine = nuclei_picture(seed=list(NEEDED).index(name))  # of another example, the store would have it already
    (tmp_path / "cells.png").write_bytes(encode_png(mine))
    (tmp_path / "no-image.png").write_text("no image")
    (tmp_path / "wrong-token").write_text("a-wrong-token")
    commands = commands_of(name)

    done = bash(commands.replace("IMAGE", "cells.png"), environment, checkout(tmp_path))
    assert done.returncode == 0, done.stderr
    assert len(re.findall("STAGE_GENERATE done", done.stdout + done.stderr)) == 2
    pictures = [(tmp_path / f"{way}.png").read_bytes() for way in ("inline", "links")]
    assert decode_image(pictures[0]).shape == (192, 256)
    assert pictures[0] == pictures[1]

    last = commands.splitlines()[-1]
    refused = bash(last.replace("IMAGE", "no-image.png"), environment, tmp_path)
    assert refused.returncode != 0
    assert "INVALID_IMAGE" in refused.stderr and "expected" in refused.stderr
    wrong = {**environment, "BIOSYNTH_ENDPOINT_TOKEN_FILE": "wrong-token"}
    refused = bash(last.replace("IMAGE", "cells.png"), wrong, tmp_path)
    assert refused.returncode != 0
    assert "UNAUTHENTICATED" in refused.stderr and "authorization: Bearer" in refused.stderr


def commands_of(name: str) -> str:
    """What the documentation tells to type for this example."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "calling.md").read_text(), re.DOTALL)
    [block] = [block for block in blocks if f"docs/examples/{name}/" in block]
    return str(block)


def checkout(folder: Path) -> Path:
    """Copy what the examples are made of, so that what their tools make stays out of the real one."""
    made = shutil.ignore_patterns("node_modules", "gen", "*.py", "*.pyi", "__pycache__", "*.egg-info", "build")
    for part in ("docs/examples", "protos"):
        shutil.copytree(ROOT / part, folder / part, ignore=made)
    (folder / ".venv").symlink_to(sys.prefix)  # buf is there
    return folder


def bash(commands: str, environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run them as someone would who types them, up to the first that fails."""
    command = ["bash", "-euo", "pipefail", "-c", commands]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=300)
