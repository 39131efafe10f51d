"""The commands of the documentation that start every service by itself."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from services.common.imaging.images import decode_image, encode_png
from tests.support.certificates import needs_openssl
from tests.support.pictures import nuclei_picture
from tests.support.ports import free_ports
from tests.support.s3_servers import minio_binary

ROOT = Path(__file__).parents[3]
PORT = r"\b(?:50\d{3}|9000)\b"


def test_all_services_start_alone_and_run_an_image_and_end(tmp_path: Path) -> None:
    words = run(block("README.md", "python -m services."), tmp_path)
    assert len(re.findall('"message": "serving"', words)) == 5
    assert list((tmp_path / "store" / "objects" / "results").iterdir())


@needs_openssl
def test_they_do_over_minio_as_well(tmp_path: Path) -> None:
    if (binary := minio_binary()) is None:
        pytest.skip("MinIO's server is not here: set BIOSYNTH_TEST_MINIO to its path, or put `minio` on PATH")
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets"))
    minio = block("docs/deploy.md", "minio-server").replace(".venv/bin/minio-server", binary)
    words = run(minio + block("README.md", "python -m services."), tmp_path)
    assert len(re.findall('"message": "serving"', words)) == 5
    assert list((tmp_path / "minio-data" / "biosynth" / "results").iterdir())
    assert not (tmp_path / "store").exists()


def block(page: str, holding: str) -> str:
    """The commands of that page that hold these words."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    [found] = [found for found in blocks if holding in found]
    return str(found)


def run(commands: str, folder: Path) -> str:
    """Type the commands for a picture that is there, with ports that are free; what they say."""
    (folder / "cells.png").write_bytes(encode_png(nuclei_picture()))
    (folder / ".venv").symlink_to(sys.prefix)
    ports = sorted(set(re.findall(PORT, commands)))
    free = dict(zip(ports, map(str, free_ports(len(ports))), strict=True))
    commands = re.sub(PORT, lambda port: free[port[0]], commands.replace("IMAGE", "cells.png"))
    code, words = typed(f"{commands}wait $pids\n", folder)  # their end is that of the last
    assert code == 0, words
    assert decode_image((folder / "results" / "generated.png").read_bytes()).shape == (192, 256)
    return words


def typed(text: str, folder: Path) -> tuple[int, str]:
    """Have bash carry it out, up to what fails first; its exit code and stderr. Nothing that it started stays."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}
    said = folder / "stderr.txt"  # no pipe, whose end would be that of the last process
    with said.open("w") as stderr:
        shell = subprocess.Popen(
            ["bash", "-e", "-c", text],
            cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
        )  # fmt: skip
        try:
            code = shell.wait(timeout=120)
        except subprocess.TimeoutExpired:
            pytest.fail(f"after 120 s the commands still run, and have said:\n{said.read_text()}")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    return code, said.read_text()
